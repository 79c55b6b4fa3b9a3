import fc from 'fast-check'
import { expect, it } from 'vitest'
import { engineSession } from '../../../test/support/engine.js'
import { seed } from '../../../test/support/seed.js'
import { nestedJson } from './nested-json.js'

const session = engineSession()

/** A value as SQL, and as JSON is to hold it. */
type Both = [sql: string, json: unknown]

const double = fc.oneof(
  fc.constantFrom<Both>(
    ["'nan'::DOUBLE", 'nan'],
    ["'inf'::DOUBLE", 'inf'],
    ["'-inf'::DOUBLE", '-inf'],
    ['NULL::DOUBLE', null],
  ),
  fc.integer().map((n): Both => [`${n}.5::DOUBLE`, n < 0 ? n - 0.5 : n + 0.5]),
)
const words = fc.constantFrom<Both>(["'NaN'", 'NaN'], ["'[Infinity]'", '[Infinity]'], ["'a'", 'a'])

const list = fc
  .array(double, { minLength: 1, maxLength: 4 })
  .map((all): Both => [`[${all.map(([sql]) => sql)}]`, all.map(([, json]) => json)])
const struct = fc
  .tuple(double, words, list)
  .map(
    ([d, w, l]): Both => [
      `{'d (x, y)': ${d[0]}, 'W"': ${w[0]}, 'l': ${l[0]}}`,
      { 'd (x, y)': d[1], 'W"': w[1], l: l[1] },
    ],
  )
const map = fc
  .tuple(double, words)
  .map(([d, w]): Both => [`MAP {'k': ${d[0]}, ${w[0]}: 1}`, { k: d[1], [w[1] as string]: 1 }])
const structs = fc
  .array(struct, { minLength: 1, maxLength: 3 })
  .map((all): Both => [`[${all.map(([sql]) => sql)}]`, all.map(([, json]) => json)])

it('nested numbers that JSON has not become texts, and all else stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(list, struct, map, structs), async ([sql, json]) => {
      const [described] = await session().describe(`SELECT ${sql} AS v`)
      const asJson = nestedJson('v', described?.sqlType ?? '')
      const [row] = await session().rows(`SELECT ${asJson} AS v FROM (SELECT ${sql} AS v)`)
      expect(JSON.parse(String(row?.v))).toEqual(json)
    }),
    { seed, numRuns: 100 },
  )
})

it('a struct that is missing stays missing', async () => {
  const [described] = await session().describe("SELECT {'s': {'d': 1::DOUBLE}} AS v")
  const asJson = nestedJson('v', described?.sqlType ?? '')
  const of = (sql: string) => session().rows(`SELECT ${asJson} AS v FROM (SELECT ${sql} AS v)`)
  expect(await of('NULL::STRUCT(s STRUCT(d DOUBLE))')).toEqual([{ v: null }])
  const value = "{'s': NULL::STRUCT(d DOUBLE), 'x': 'nan'::DOUBLE}"
  const [other] = await session().describe(`SELECT ${value} AS v`)
  const text = nestedJson('v', other?.sqlType ?? '')
  expect(await session().rows(`SELECT ${text} AS v FROM (SELECT ${value} AS v)`)).toEqual([
    { v: '{"s":null,"x":"nan"}' },
  ])
})
