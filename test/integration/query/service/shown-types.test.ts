import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Caller } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { type ServiceLake, serviceLake } from './lake.js'

/*
 * Catalogs say of a column what its rows are for whoever asks: a mask may make a text of a number.
 */

let made: ServiceLake
let service: QueryService
let analyst: Caller
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
  analyst = await made.as('analyst-token-01')
})
afterAll(async () => {
  await service.close()
  await made.close()
})

/** The analyst, with other masks on customers. */
function masked(masks: Record<string, string>): Caller {
  const { rights } = analyst
  const rules = (levels: readonly string[]) => {
    const own = rights.rules(levels)
    return own && levels.at(-1) === 'customers' ? { ...own, masks } : own
  }
  return { ...analyst, rights: { ...rights, rules } }
}

/** The types of a table's columns, as catalogs have them and as rows of it do. */
async function types(principal: Caller, schema: string, name: string) {
  const all = await service.tables(principal)
  const table = all.find((one) => one.schema === schema && one.name === name)
  const shown = table?.columns.map((one) => ({ name: one.name, type: one.type }))
  await using answer = await service.query({ principal, sql: `from ${schema}.${name}` })
  return { shown, rows: answer.columns, columns: table?.columns }
}

it('a column with a mask has the type that the mask gives it, in its table and in views that read it', async () => {
  const who = masked({ salary: "'about ' || round(salary, -4)", since: 'year(since)' })
  for (const [schema, name] of [
    ['silver', 'customers'],
    ['gold', 'contacts'],
    ['silver', 'orders'],
  ] as const) {
    const { shown, rows } = await types(who, schema, name)
    expect([name, shown]).toEqual([name, rows])
  }
  const { columns = [] } = await types(who, 'silver', 'customers')
  const found = Object.fromEntries(columns.map(({ name, type }) => [name, type]))
  expect(found).toMatchObject({ id: 'INTEGER', salary: 'VARCHAR', since: 'BIGINT' })
})

it('another mask, and none, are another type', async () => {
  for (const [masks, type] of [
    [{ salary: 'salary > 100000' }, 'BOOLEAN'],
    [{ salary: 'salary / 2' }, 'DOUBLE'],
    [{}, 'INTEGER'],
  ] as const) {
    const { shown = [], rows } = await types(masked({ ...masks }), 'silver', 'customers')
    expect(shown).toEqual(rows)
    expect(shown.find(({ name }) => name === 'salary')?.type).toBe(type)
  }
})

it('a table whose mask is wrong is listed, and no other is missing for that', async () => {
  const all = await service.tables(masked({ salary: 'salry + 1' }))
  expect(all.map(({ schema, name }) => `${schema}.${name}`)).toEqual(
    (await service.tables(analyst)).map(({ schema, name }) => `${schema}.${name}`),
  )
})
