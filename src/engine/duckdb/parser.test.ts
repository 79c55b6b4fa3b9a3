import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seed } from '../../../test/support/seed.js'
import { type AstNode, nodesOf, queryIn } from '../../plan/ast.js'
import { unqualified } from '../../plan/select.js'
import type { Session } from '../engine.js'
import { DuckDB } from './duckdb.js'

let engine: DuckDB
let session: Session
beforeAll(async () => {
  engine = await DuckDB.start({ threads: 1 })
  session = await engine.open()
})
afterAll(() => engine.close())

const at = (sql: string, offset: unknown) =>
  Buffer.from(sql).subarray(Number(offset)).toString('utf8')

describe('places of a tree', () => {
  it('are those of the text that was given, whatever spaces it has', async () => {
    const spaces = fc.constantFrom(...' \n\u00a0\u2000\u200b\u202f\u205f\u2060\u3000\ufeff')
    const fillings = [
      "'\u00a0'",
      '"\u3000"',
      '$ä$\u00a0$ä$',
      "'it''s'",
      '/* \u2003 */ 1',
      '1 --\ufeff\n',
    ]
    const items = fc.tuple(
      fc.array(spaces, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...fillings),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(items, { minLength: 1, maxLength: 6 }), async (all) => {
        const list = all.map(
          ([gap, item], i) => `${gap.join('')}${item} , name${i}${gap.join('')} `,
        )
        const sql = `select ${list.join(',')} from t`
        const tree = JSON.parse(await session.parser.tree(sql))
        expect(tree.error, sql).toBe(false)
        const columns = nodesOf(tree).filter((node) => node.class === 'COLUMN_REF')
        for (const { column_names, query_location } of columns) {
          const [name] = column_names as string[]
          expect(at(sql, query_location).replace(/^"/, '')).toMatch(new RegExp(`^${name}`))
        }
      }),
      { seed, numRuns: 60 },
    )
  })

  it('of what does not parse, and of a plan, are those of the text as well', async () => {
    const wrong = 'select\u00a0a,\u3000from from t'
    const { position } = JSON.parse(await session.parser.tree(wrong))
    expect(at(wrong, position)).toBe('from t')
    const [first, second] = await session.parser.trees(['select\u00a0 x', 'select x'])
    expect(JSON.parse(first as string).statements[0].node.select_list[0].query_location).toBe(9)
    expect(JSON.parse(second as string).statements[0].node.select_list[0].query_location).toBe(7)
    const sql = 'select\u00a0\u3000a\u00a0+ 1 from main.t'
    const type = { kind: 'int' } as const
    const tables = [{ schema: 'main', name: 't', fields: [{ name: 'a', type }] }]
    const plan = JSON.stringify(await session.parser.boundPlan(sql, tables), (_, v) =>
      typeof v === 'bigint' ? String(v) : v,
    )
    const places = [...plan.matchAll(/"query_location":(\d+)/g)].map(([, place]) => at(sql, place))
    expect(places).toContain('+ 1 from main.t')
  })
})

it('a query that is read in batches is one statement', async () => {
  await session.run('create table kept as select 1 as x')
  await expect(session.stream('drop table kept; select 1')).rejects.toThrow('there are several')
  expect(await session.rows('select x from kept')).toEqual([{ x: 1 }])
})

describe('an expression that is made text again', () => {
  it.each([
    ['9007199254740993'],
    ['-9007199254740993'],
    ['1234567890123456.79'],
    ['12345678901234567.89'],
    ['9223372036854775808'],
    ["'9007199254740993'"],
    ['\'{"digits":"5"}\''],
    ['1e5', '100000.0'],
    ['-2e0', '-2.0'],
    ['1.5'],
    ['(x / 1e2)', '(x / 100.0)'],
  ])('has the numbers that it had: %s', async (text, made = text) => {
    const tree = await session.parser.tree(`SELECT ${text}`)
    const { select_list } = queryIn(tree) as { select_list: [AstNode] }
    const [expression] = select_list
    expect(await session.parser.text(unqualified(expression))).toBe(made)
  })
})
