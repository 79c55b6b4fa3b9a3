import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const COLUMNS = 2000
const ROWS = 298
const kinds = ['csv', 'jsonl', 'parquet'] as const

/**
 * A table of 298 rows and 2,000 columns (`--scale 2.5`: 5,000) to bronze, silver and gold
 * (`--against csv`, `jsonl` or `parquet`), beside DuckDB's own read and write of the same to two
 * Parquet files, of texts and of values.
 */
export async function wide(scale: number, against = 'csv'): Promise<[Contender, Contender]> {
  const kind = kinds.find((name) => name === against) ?? 'csv'
  const names = Array.from({ length: COLUMNS * scale }, (_, i) => (i === 0 ? 'id' : `c${i}`))
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'))
  const path = join(folder, 'in', `wide.${kind}`)
  const text = join(folder, kind === 'parquet' ? 'wide.csv' : `in/wide.${kind}`)
  await writeFile(text, kind === 'jsonl' ? linesOf(names) : delimited(names))
  await writeFile(join(folder, 'lake.ts'), lake(kind, names.length))
  const script = (body: string) => `
    import { DuckDBInstance } from '${repository}/node_modules/@duckdb/node-api/lib/index.js'
    const db = await (await DuckDBInstance.create(':memory:')).connect()
    ${body}`
  const node = (body: string) =>
    measure(process.execPath, ['--input-type=module', '-e', script(body)], {})
  if (kind === 'parquet') await node(`await db.run("COPY (FROM read_csv('${text}')) TO '${path}'")`)
  const out = join(folder, 'out')
  const reader = { csv: 'read_csv', jsonl: 'read_json', parquet: 'read_parquet' }[kind]
  const texts = `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${reader}('${path}')`
  const values = `SELECT CAST(COLUMNS(*) AS DECIMAL(9, 3)) FROM '${out}.bronze.parquet'`
  return [
    {
      name: 'moraine run',
      run: async () => {
        await rm(join(folder, 'lake'), { recursive: true, force: true })
        const program = join(repository, 'bin/moraine.js')
        return measure(process.execPath, [program, '-C', folder, 'run'], {})
      },
    },
    {
      name: "DuckDB's own read and write",
      run: () =>
        node(`
        await db.run("COPY (${texts}) TO '${out}.bronze.parquet'")
        await db.run("COPY (${values}) TO '${out}.silver.parquet' (COMPRESSION zstd)")`),
    },
  ]
}

const value = (row: number, i: number) =>
  i === 0 ? row : ((row * 7919 + i * 104_729) % 1e6) / 1000

const delimited = (names: readonly string[]) =>
  [names, ...Array.from({ length: ROWS }, (_, row) => names.map((_, i) => value(row, i)))]
    .map((row) => `${row.join()}\n`)
    .join('')

const linesOf = (names: readonly string[]) =>
  Array.from({ length: ROWS }, (_, row) =>
    Object.fromEntries(names.map((name, i) => [name, value(row, i)])),
  )
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('')

const lake = (kind: string, columns: number) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shape: Record<string, z.ZodType> = { id: t.int() }
for (let i = 1; i < ${columns}; i++) shape['c' + i] = t.decimal(9, 3).min(0)
const raw = bronze('wide', { from: files('in/*.${kind}') })
const wide = silver('wide', { from: raw, schema: z.object(shape), key: 'id' })
const narrow = gold('narrow', { query: sql\`select count(*) as n, sum(c1) as c1 from \${wide}\` })
export default defineLake({ name: 'wide', datasets: [narrow] })
`
