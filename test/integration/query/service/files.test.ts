import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { principal } from '../../../../src/define/access/principal.js'
import { bronze, gold, silver } from '../../../../src/define/dataset.js'
import { defineLake } from '../../../../src/define/lake.js'
import { sql } from '../../../../src/define/sql/sql.js'
import type { DefinitionError } from '../../../../src/errors.js'
import { catalog } from '../../../../src/serve/rest/catalog.js'
import { files } from '../../../../src/source/declare/files.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
beforeAll(async () => {
  made = await serviceLake()
})
afterAll(() => made.close())

describe('the files of a table with masks or row filters', () => {
  it('are closed to their principal in the REST catalog, as those of its history', async () => {
    const { storage, lake } = made
    const app = catalog(storage, { access: lake.access, isLocal: () => true })
    const status = async (token: string, path: string, method = 'GET') =>
      (
        await app.request(`http://localhost/v1/namespaces/${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(method === 'POST'
            ? { body: '{"method":"GET","uri":"","region":"","headers":{}}' }
            : {}),
        })
      ).status
    const [boss, analyst] = ['boss-token-0001', 'analyst-token-01']
    expect(await status(boss, 'silver/tables/customers')).toBe(200)
    expect(await status(analyst, 'silver/tables/orders')).toBe(200)
    for (const path of ['silver/tables/customers', 'history/tables/customers'])
      expect([path, await status(analyst, path)]).toEqual([path, 404])
    expect(await status(analyst, 'silver/tables/customers/credentials')).toBe(404)
    const signing = await status(analyst, 'silver/tables/customers/sign', 'POST')
    expect(signing).toBe(await status(analyst, 'silver/tables/nothing/sign', 'POST'))
    expect(signing).toBeGreaterThanOrEqual(400)
    const listed = await app.request('http://localhost/v1/namespaces/silver/tables', {
      headers: { authorization: `Bearer ${analyst}` },
    })
    expect(await listed.json()).toMatchObject({ identifiers: [{ name: 'orders' }] })
  })
})

describe('masks and row filters of lake.ts', () => {
  const orders = silver('orders', {
    from: bronze('raw', { from: files('orders.csv') }),
    schema: z.object({ id: z.int(), note: z.string() }),
    key: 'id',
  })
  const paid = gold('paid', { view: true, query: sql`select id, note from ${orders}` })
  const large = gold('large', { view: true, query: sql`select * from ${paid} as p where p.id > 9` })
  const problemsOf = (options: Parameters<typeof principal>[1]) => {
    try {
      defineLake({ name: 'x', datasets: [large], access: [principal('a', options)] })
      return []
    } catch (error) {
      return (error as DefinitionError).problems.map(({ message }) => message)
    }
  }
  const note = { note: sql`'…'` }
  const token = 'a-token-0001'

  it.each([
    [{ masks: { 'silver.order': note } }, "'silver.order' is not a table of the lake"],
    [{ masks: { 'silver.*': note } }, "'silver.*' is not a table"],
    [{ rows: { 'silver.orders': sql`id in (select 1 from ${orders})` } }, 'reads another table'],
    [{ write: ['silver.orders'], masks: { 'silver.orders': note } }, 'may write the table'],
    [{ read: ['gold.*', 'bronze.raw'], masks: { 'silver.orders': note } }, 'may not be read'],
    [
      { read: ['silver.*', 'bronze.*'], masks: { 'silver.orders': note } },
      'it may read bronze.raw',
    ],
    [{ read: ['gold.*'], masks: { 'gold.paid': note } }, 'it may read gold.large'],
    [{ read: ['gold.*'], rows: { 'gold.paid': sql`id > 1` } }, 'it may read gold.large'],
    [{ masks: { 'silver.orders': { note: '1' } } }, 'masks'],
  ] as const)('are refused where they can not hold: %#', (options, message) => {
    const given = { token, read: ['silver.*'], ...options } as Parameters<typeof principal>[1]
    expect(problemsOf(given).join('\n')).toContain(message)
  })

  it('are fine where they can', () => {
    const rules = { masks: { 'silver.orders': note }, rows: { 'silver.orders': sql`id > 1` } }
    expect(problemsOf({ token, read: ['silver.*'], ...rules })).toEqual([])
    const one = { read: ['gold.paid'], masks: { 'gold.paid': note } } as const
    expect(problemsOf({ token, ...one })).toEqual([])
    const both = { 'gold.paid': note, 'gold.large': note }
    expect(problemsOf({ token, read: ['gold.*'], masks: both })).toEqual([])
  })
})
