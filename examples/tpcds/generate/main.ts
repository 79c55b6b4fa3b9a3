import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { allTables, type Generated, typeOf } from './rows.js'

/** What was put into a table's file beside its good rows. */
export interface Dirt {
  /** Lines of the file. */
  rows: number
  /** Rows that can't be kept, by kind. */
  discarded: Record<string, number>
  /** Rows that come twice. */
  superseded: number
}

/**
 * Ways to spoil a table's rows: a purpose, and the values that are put in the place of good ones.
 */
function spoilers({ table }: Generated): Record<string, Record<string, string>> {
  const [key = ''] = table.key
  const numbers = Object.entries(table.columns).filter(
    ([column, schema]) => typeOf(schema) !== 'VARCHAR' && !table.key.includes(column),
  )
  const fresh = { [key]: `CAST(1000000000 + i AS VARCHAR)` }
  const bad = numbers.at(-1)?.[0]
  const date = Object.entries(table.references ?? {}).find(
    ([, target]) => target === 'date_dim',
  )?.[0]
  const fact = /_(sales|returns)$/.test(table.name)
  return {
    'no key': { [key]: 'NULL' },
    ...(bad ? { 'bad value': { ...fresh, [bad]: `'12,5x'` } } : {}),
    ...(fact && date ? { 'unknown date': { ...fresh, [date]: `'77'` } } : {}),
  }
}

async function writeTable(
  connection: DuckDBConnection,
  generated: Generated,
  folder: string,
  share: number,
): Promise<Dirt> {
  const { table, sql } = generated
  const names = Object.keys(table.columns)
  const texts = names.map((name) => `CAST(${name} AS VARCHAR) AS ${name}`)
  const count = async (query: string) =>
    Number((await connection.runAndReadAll(query)).getRows()[0]?.[0])
  const chosen = (kind: string) =>
    `SELECT * FROM rows WHERE ${share > 0} AND (hash(i, '${kind}') // 16)::BIGINT % ${Math.round(1 / (share || 1))} = 0`
  await connection.run(
    `CREATE OR REPLACE TEMP VIEW rows AS SELECT i, ${texts.join(', ')} FROM (${sql})`,
  )
  const discarded: Record<string, number> = {}
  const parts = ['SELECT * FROM rows', chosen('twice')]
  for (const [kind, values] of Object.entries(spoilers(generated))) {
    discarded[kind] = await count(`SELECT count(*) FROM (${chosen(kind)})`)
    const replaced = Object.entries(values).map(([name, value]) => `${value} AS ${name}`)
    parts.push(`SELECT * REPLACE (${replaced.join(', ')}) FROM (${chosen(kind)})`)
  }
  const superseded = await count(`SELECT count(*) FROM (${chosen('twice')})`)
  const all = parts.join(' UNION ALL ')
  await connection.run(
    `COPY (SELECT ${names.join(', ')} FROM (${all})) TO '${join(folder, `${table.name}.dat`).replaceAll("'", "''")}'
     (FORMAT csv, DELIMITER '|', HEADER false, NULLSTR '', QUOTE '', ESCAPE '')`,
  )
  const good = await count('SELECT count(*) FROM rows')
  const rows = good + superseded + Object.values(discarded).reduce((a, b) => a + b, 0)
  return { rows, discarded, superseded }
}

/**
 * Writes the 24 tables as pipe-delimited files, and `dirt.json` with what is wrong in them.
 *
 * @param share of the rows that is spoilt, for each way to spoil them; one in a thousand when not
 *   given.
 */
export async function generate(
  folder: string,
  scale: number,
  share = 0.001,
): Promise<Record<string, Dirt>> {
  mkdirSync(folder, { recursive: true })
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const dirt: Record<string, Dirt> = {}
  for (const generated of allTables(scale))
    dirt[generated.table.name] = await writeTable(connection, generated, folder, share)
  writeFileSync(join(folder, 'dirt.json'), `${JSON.stringify(dirt, null, 2)}\n`)
  connection.closeSync()
  instance.closeSync()
  return dirt
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: { scale: { type: 'string', default: '0.1' }, to: { type: 'string' } },
  })
  const folder = values.to ?? join(import.meta.dirname, '..', 'data')
  const dirt = await generate(folder, Number(values.scale))
  const rows = Object.values(dirt).reduce((sum, table) => sum + table.rows, 0)
  console.log(`${rows.toLocaleString('en-US')} rows in ${folder}`)
}
