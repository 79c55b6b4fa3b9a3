import { expect, it, vi } from 'vitest'
import { DuckDBSession } from '../../../src/engine/duckdb/session.js'
import { Statements } from '../../../src/engine/duckdb/statements.js'
import { Project, step } from '../../support/project.js'

const lake = (kind: string) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shape: Record<string, z.ZodType> = { id: t.int() }
for (let i = 1; i < Number(process.env.WIDE_COLUMNS); i++) shape['c' + i] = t.decimal(9, 3).min(0)
const raw = bronze('wide', { from: files('in/*.${kind}') })
const wide = silver('wide', { from: raw, schema: z.object(shape), key: 'id' })
const narrow = gold('narrow', { query: sql\`select count(*) as n, sum(c1) as c1 from \${wide}\` })
export default defineLake({ name: 'wide', datasets: [narrow] })
`

const names = (columns: number) => Array.from({ length: columns }, (_, i) => (i ? `c${i}` : 'id'))

/**
 * Rows of numbers, of which a few are below zero and some are written shorter than their type is.
 */
function values(columns: number, rows: number): (number | string)[][] {
  const value = (row: number, i: number) =>
    row === 7 && i === 3 ? '-1' : row === 9 && i === 5 ? 'many' : `${row}.${100 + (i % 900)}`
  return Array.from({ length: rows }, (_, row) =>
    names(columns).map((_, i) => (i === 0 ? row : value(row, i))),
  )
}

const texts: Record<string, (columns: number, rows: number) => string> = {
  csv: (columns, rows) =>
    [names(columns), ...values(columns, rows)].map((row) => `${row.join()}\n`).join(''),
  jsonl: (columns, rows) => {
    const keys = names(columns)
    return values(columns, rows)
      .map((row) => Object.fromEntries(row.map((v, i) => [keys[i], v])))
      .map((row) => `${JSON.stringify(row)}\n`)
      .join('')
  },
}

/** Runs a lake over so many columns; what became of the rows, and what was asked of the engine. */
async function run(kind: string, columns: number, rows: number) {
  const text = (texts[kind] as (typeof texts)[string])(columns, rows)
  const project = await Project.create({ 'lake.ts': lake(kind), [`in/1.${kind}`]: text })
  vi.stubEnv('WIDE_COLUMNS', String(columns))
  const asked = vi.spyOn(Statements.prototype, 'try')
  const quick = vi.spyOn(
    DuckDBSession.prototype as never as { planQuickly(): unknown },
    'planQuickly',
  )
  try {
    const record = await project.run()
    const statements = asked.mock.calls.map(([sql]) => sql)
    const length = statements.reduce((sum, sql) => sum + sql.length, 0)
    const reasons = await project.query(
      'SELECT unnest(reasons) AS reason, _source_line FROM discarded.wide ORDER BY ALL',
    )
    const sums = await project.query('FROM gold.narrow')
    const { counts } = step(record, 'silver.wide')
    return {
      statements: statements.length,
      length,
      quick: quick.mock.calls.length,
      counts,
      reasons,
      sums,
    }
  } finally {
    asked.mockRestore()
    quick.mockRestore()
    vi.unstubAllEnvs()
  }
}

it.each(['csv', 'jsonl'])(
  'asks twice as much of the engine for twice as many columns (%s)',
  async (kind) => {
    const some = await run(kind, 300, 600)
    const twice = await run(kind, 600, 600)
    // What does not depend on the columns makes it less than twice; longer names a little more.
    expect(twice.length).toBeLessThan(some.length * 2.15)
    expect(twice.statements).toBeLessThanOrEqual(some.statements * 1.1)
    // Expressions that could be shared are not looked for: that would grow with the square.
    expect([some.quick, twice.quick]).toEqual([1, 1])
    for (const { counts, reasons, sums } of [some, twice]) {
      expect(counts).toMatchObject({ in: 600, kept: 598, discarded: 2, superseded: 0 })
      expect(reasons.map(({ reason }) => reason)).toEqual([
        'c3: must be at least 0',
        'c5: not a decimal(9,3)',
      ])
      expect(sums).toEqual([{ n: 598n, c1: '179744.398' }])
    }
  },
)

it('finds the same rows and reasons for few columns as for many', async () => {
  const narrow = await run('csv', 100, 300)
  const wide = await run('csv', 400, 300)
  expect(narrow.quick).toBe(0)
  expect(wide.quick).toBe(1)
  expect(wide.counts).toEqual(narrow.counts)
  expect(wide.reasons).toEqual(narrow.reasons)
  expect(wide.sums).toEqual(narrow.sums)
})
