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
