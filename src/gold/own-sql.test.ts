import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { bronze, defineLake, gold, history, silver, sql, t } from '../define/index.js'
import type { MoraineError } from '../errors.js'
import { compareDefinitions } from '../plan/changes.js'
import { definitionOf } from '../plan/fingerprint.js'
import { files } from '../source/index.js'
import { ownSql } from './own-sql.js'

const bronzeOrders = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: bronzeOrders,
  key: 'id',
  cursor: 'at',
  history: true,
  schema: z.object({ id: t.bigint(), at: t.date(), amount: t.decimal(12, 2) }),
})
const query = sql`select at, count(*) as n from ${orders} group by at`
const portable = {
  target: 'trino' as const,
  table: (schema: string, name: string) => `"lake"."${schema}@run"."${name}"`,
}
/** What goes wrong as a lake is defined. */
const problems = (define: () => unknown) => {
  try {
    define()
  } catch (error) {
    return (error as MoraineError).message
  }
  return ''
}

describe('a query in SQL of Trino', () => {
  it('names tables as Trino does, and has values as Trino writes them', () => {
    const of = new Date('2026-01-02T03:04:05.678Z')
    const versions = sql`select max(at) from ${history(orders)} union all ${query}`
    const own = gold('daily', {
      query: versions,
      dialects: [
        sql.for(
          'trino',
        )`select ${'it’s'}, ${"it's"}, ${1.5}, ${2n ** 60n}, ${null}, ${[1, 2]}, ${of}, ${orders.columns.amount}
          from ${orders}, ${history(orders)}`,
      ],
    })
    expect(ownSql(own, portable)?.sql.split(/\n\s*/)).toEqual([
      `select 'it’s', 'it''s', DOUBLE '1.5', 1152921504606846976, NULL, (1, 2), TIMESTAMP '2026-01-02 03:04:05.678 UTC', "amount"`,
      'from "lake"."silver@run"."orders", "lake"."history@run"."orders"',
    ])
    expect(ownSql(own, { ...portable, target: 'spark' })).toBe(undefined)
    expect(ownSql(gold('other', { query }), portable)).toBe(undefined)
  })

  it('is part of the definition, and leaves those that have none as they were', () => {
    const hash = (text: string) => text
    const without = definitionOf(gold('daily', { query }), hash)
    const own = gold('daily', { query, dialects: [sql.for('trino')`select 1`] })
    expect(definitionOf(own, hash)).toMatchObject({ ...without, 'query for trino': 'select 1' })
    expect(Object.keys(without)).not.toContain('query for trino')
    const known = { discarded: 0, isNull: () => false }
    const changes = compareDefinitions(without, definitionOf(own, hash), known)
    expect(changes?.said).toEqual(['its SQL for trino was added'])
  })

  it('is refused where it would be something else than the query', () => {
    const other = gold('other', { query })
    const lake = (dataset: ReturnType<typeof gold>) =>
      problems(() => defineLake({ name: 'shop', datasets: [dataset, other] }))
    expect(
      lake(gold('daily', { query, dialects: [sql.for('trino')`select * from ${other}`] })),
    ).toContain('reads gold.other, which its query does not read')
    expect(
      lake(
        gold('daily', { query, dialects: [sql.for('trino')`select * from ${history(orders)}`] }),
      ),
    ).toContain('reads the history of silver.orders, which its query does not read')
    const raw = sql`select at from ${bronzeOrders}`
    expect(lake(gold('raw', { query: raw, dialects: [sql.for('trino')`${raw}`] }))).toContain(
      'reads bronze.orders, which is not a table that other engines can read',
    )
    expect(
      lake(gold('daily', { query, view: true, dialects: [sql.for('trino')`select 1`] })),
    ).toContain('a view has no rows that trino could compute')
    expect(lake(gold('daily', { query: sql.for('trino')`select 1` as never }))).toContain(
      'must be SQL',
    )
    expect(lake(gold('daily', { query, dialects: sql.for('trino')`select 1` as never }))).toContain(
      'dialects must be a list',
    )
    expect(
      lake(gold('daily', { query, dialects: [sql.for('athena' as never)`select 1`] })),
    ).toContain('there is no such engine')
  })
})
