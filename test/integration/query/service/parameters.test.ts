import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ParameterValues } from '../../../../src/engine/engine.js'
import { limitsOf } from '../../../../src/query/limits.js'
import { describeQuery } from '../../../../src/query/query.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let service: QueryService
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
})
afterAll(async () => {
  await service.close()
  await made.close()
})

async function ask(sql: string, parameters?: ParameterValues, workgroup = 'partitions') {
  const principal = await made.as('boss-token-0001')
  const given = parameters === undefined ? {} : { parameters }
  await using answer = await service.query({ principal, sql, workgroup, ...given })
  const rows: unknown[][] = []
  for await (const batch of answer.rows) rows.push(...batch)
  return { rows, bytes: answer.statistics.bytesEstimated }
}

describe('values of parameters', () => {
  it('are conditions like those that are written: on partitions, and for what is read', async () => {
    const count = (where: string) => `select count(*), max(note) from silver.orders where ${where}`
    const written = await ask(count("day < '2025-02-01'"))
    const all = await ask(count("day < '2027-02-01'"))
    expect(all.bytes).toBeGreaterThan(written.bytes * 5)
    for (const [where, parameters] of [
      ['day < ?', ['2025-02-01']],
      ['day < cast(? as date)', ['2025-02-01']],
      ['day < $1::date and id < $2', ['2025-02-01', 1000]],
      ['day < :day', { day: '2025-02-01' }],
      ['day between $from::date and :to', { from: '2025-01-01', to: '2025-01-31' }],
      ['day in (?, ?)', ['2025-01-15', '2025-01-16']],
    ] as const)
      expect([where, await ask(count(where), parameters as ParameterValues)]).toEqual([
        where,
        // Another column is read where one is named.
        { rows: written.rows, bytes: where.includes('id') ? expect.any(Number) : written.bytes },
      ])
    // No value tells of a partition, and no text of a value is read as SQL, or chooses files.
    await expect(ask('select note from silver.orders where id = ?', [1])).rejects.toThrow(
      'needs a condition on day',
    )
    const text = "2025-02-01' or '1' = '1"
    await expect(ask(count('day < ?'), [text])).rejects.toThrow('needs a condition on day')
    // The engine's cast to a date passes over what is behind it.
    expect((await ask(count('day < ?::date'), [text])).rows).toEqual(written.rows)
  })

  it('say what a query would read before it runs, and are missed by their names', async () => {
    const principal = await made.as('boss-token-0001')
    const asked = { limits: limitsOf(), rights: principal.rights }
    const sql = 'select note from silver.orders where day < :day'
    const estimate = async (parameters: ParameterValues) => {
      const found = await describeQuery(made.storage, made.log.head(), sql, {
        ...asked,
        parameters,
      })
      return found.estimate.tables[0]?.files
    }
    expect(await estimate({ day: '2025-02-01' })).toBe(1)
    expect(await estimate({ day: '2026-02-01' })).toBe(12)
    await expect(estimate({})).rejects.toThrow('There is no value for :day')
  })

  it.each([
    ['select :day::date', undefined, 'There is no value for :day', /"day": /],
    ['select :day::date', { dya: '2025-01-01' }, 'There is no value for :day', /values of: :dya/],
    ['select :day::date', ['2025-01-01'], 'There is no value for :day', /by its name/],
    ['select $day::date', undefined, 'There is no value for :day', /by its name/],
    ['select :a::int + :b::int', { a: 1 }, 'There is no value for :b', /values of: :a/],
    ['select :a::int', { a: 1, c: 3 }, 'The query has no parameter :c', /It has: :a/],
    ['select 1', { a: 1 }, 'The query has no parameter :a', /leave the value out/],
    ['select ?', undefined, 'The query takes 1 parameter, and there are 0 values', /for each \?/],
    ['select ?, ?', [1], 'The query takes 2 parameters, and there is 1 value', /for each \?/],
    ['select ?', [1, 2], 'The query takes 1 parameter, and there are 2 values', /Leave out/],
    ['select ?', { a: 1 }, 'The query has ? in the place of values, which have names', /Write :a/],
  ])('%s with %j is told in words of what was asked', async (sql, parameters, message, hint) => {
    await expect(ask(sql, parameters as ParameterValues | undefined, 'bi')).rejects.toThrow(
      expect.objectContaining({ kind: 'query', message, hint: expect.stringMatching(hint) }),
    )
  })

  it('are not looked for in a text that is wrong in another way, or in names of columns', async () => {
    await expect(ask('select :day frm x', undefined, 'bi')).rejects.toThrow(/syntax error/)
    const text = "select ':day' as a, b: 1, [1, 2, 3][2:3] as c, '1'::int as d"
    expect((await ask(text, undefined, 'bi')).rows).toEqual([[':day', 1, [2, 3], 1]])
  })

  it('that are beyond all numbers choose no files', async () => {
    const sql = 'select count(*) from silver.orders where amount < 1e400 and amount > -1e400'
    expect((await ask(sql, undefined, 'bi')).rows).toEqual([[240n]])
    expect((await ask("select 1e400 as x, 'Infinity' as y", undefined, 'bi')).rows).toEqual([
      [Number.POSITIVE_INFINITY, 'Infinity'],
    ])
  })
})
