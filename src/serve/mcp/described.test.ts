import { expect, it } from 'vitest'
import { z } from 'zod'
import { check } from '../../define/check.js'
import { bronze, silver } from '../../define/dataset.js'
import { defineLake } from '../../define/lake.js'
import { rule } from '../../define/rule.js'
import { sql } from '../../define/sql/sql.js'
import type { Caller, VisibleTable } from '../../query/service/request.js'
import { files } from '../../source/declare/files.js'
import { described } from './described.js'

const from = bronze('raw', { from: files('in/*.csv') })
const customers = silver('customers', { from, schema: z.object({ id: z.int() }), key: 'id' })
const orders = silver('orders', {
  from,
  key: 'id',
  schema: z.object({ id: z.int(), customer: z.int() }),
  rules: [
    rule('has a customer', sql`customer > 0`),
    rule('of a customer', sql`customer in (select id from ${customers})`),
  ],
  checks: [check.references('customer', customers, 'id')],
})
const lake = defineLake({ name: 'shop', datasets: [orders, customers] })

/** What is told of orders to an agent that may query these tables. */
function told(...names: string[]) {
  const tables = names.map(
    (name): VisibleTable => ({
      ...{ schema: 'silver', name, kind: 'table', comment: undefined, columns: [] },
    }),
  )
  const caller = { name: 'guest', rights: { rules: () => undefined } } as unknown as Caller
  return described({ entries: [], tables, lake, caller }, 'silver.orders')
}

it('tells an agent of checks and rules, without names of tables that it may not query', () => {
  expect(told('orders', 'customers')).toMatchObject({
    rules: [
      { rule: 'has a customer', condition: 'customer > 0' },
      { condition: 'customer in (select id from "silver"."customers")' },
    ],
    checks: [{ check: 'customer references silver.customers.id' }],
  })
  const guest = told('orders')
  expect(guest).toMatchObject({
    rules: [
      { rule: 'has a customer', condition: 'customer > 0' },
      { rule: 'of a customer', condition: null },
    ],
    checks: [{ check: 'customer references another table' }],
  })
  expect(JSON.stringify(guest)).not.toContain('customers')
})
