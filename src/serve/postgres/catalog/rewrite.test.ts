import { expect, it } from 'vitest'
import { rewriteCatalog } from './rewrite.js'

const visible = { database: 'shop', user: 'ada', path: [], schemas: [], tables: [], settings: [] }
const nested = (call: string, depth: number) => `${`${call}(`.repeat(depth)}1${')'.repeat(depth)}`
const rewritten = (sql: string) => rewriteCatalog(sql, visible).sql

it('writes calls within calls once, however deep they are', () => {
  const began = performance.now()
  expect(rewritten(`select ${nested('abs', 20)}, current_user`)).toBe(
    `select ${nested('abs', 20)}, 'ada' AS "current_user"`,
  )
  expect(performance.now() - began).toBeLessThan(500)
  expect(rewritten(`select ${nested('abs', 190)}, current_user`)).toContain(nested('abs', 190))
})

it('refuses what would grow with each call beyond any statement', () => {
  for (const sql of [nested('format_type', 30), nested('quote_ident', 30)])
    expect(() => rewritten(`select ${sql}`)).toThrow(/too many calls/)
  expect(() => rewritten(`select x${'::regtype'.repeat(40)} from pg_type`)).toThrow(
    /too many calls/,
  )
  expect(rewritten('select format_type(23, -1)')).toContain("'integer'")
})

it('leaves the age of times as it is, and has none of transactions', () => {
  expect(rewritten('select age(current_date, x) from silver.t')).toBe(
    'select age(current_date, x) from silver.t',
  )
  expect(rewritten('select age(x), age(d.datfrozenxid) from pg_database d')).toContain(
    'select age(x), CAST(NULL AS BIGINT) AS "age" from',
  )
  expect(rewritten(`select ${nested('age', 190)}`)).toBe(`select ${nested('age', 190)}`)
})

it('has patterns match a part of a text, whatever they are', () => {
  const part = (of: string) => `('(?s:.*)(?:' || CAST(${of} AS VARCHAR) || ')(?s:.*)')`
  expect(rewritten("select a ~ 'x', a !~'it''s'")).toBe(
    "select a ~ '(?s:.*)(?:x)(?s:.*)', a !~ '(?s:.*)(?:it''s)(?s:.*)'",
  )
  expect(rewritten('where lower(a) ~ $1::text and t.b ~ t.c')).toBe(
    `where lower(a) ~ ${part('$1')}::text and t.b ~ ${part('t.c')}`,
  )
  expect(rewritten('where a[1] !~ lower(b) or "a" ~ (select c)')).toBe(
    `where a[1] !~ ${part('lower(b)')} or "a" ~ ${part('(select c)')}`,
  )
  // The engine's own operators of one value, and of texts.
  for (const sql of ['select ~a, 1 & ~b, (~c), a ~ any(b)', "where a ~~ 'x%' and not ~b = 1"])
    expect(rewritten(sql)).toBe(sql)
})
