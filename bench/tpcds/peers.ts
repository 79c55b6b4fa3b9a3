import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/*
 * The work of by-hand.mjs as projects of other tools: the same tables, keys, partitions and
 * reports. The programs are found on the PATH, or named by DBT (dbt-duckdb), SQLMESH and
 * SPARK_PYTHON (a Python with pyspark).
 */

interface Tables {
  tables: { name: string; columns: [string, string][]; key: string[]; date?: string }[]
  gold: { name: string; query: string; partition?: string }[]
}

/** A program to run in a folder, with what it needs to know. */
export interface Peer {
  command: string
  args: string[]
  folder: string
  env: Record<string, string>
}

export const peers: Record<string, (folder: string, data: string, out: string) => Promise<Peer>> = {
  dbt,
  sqlmesh,
  spark,
}

async function contract(): Promise<Tables> {
  return JSON.parse(await readFile(join(import.meta.dirname, 'by-hand.json'), 'utf8'))
}

type Table = Tables['tables'][number]

const textsOf = ({ columns }: Table) => columns.map(([name]) => `'${name}': 'VARCHAR'`).join(', ')

const rawSql = (table: Table, data: string) =>
  `SELECT * FROM read_csv('${data}/${table.name}.dat', delim='|', header=false, quote='', escape='', nullstr='', columns={${textsOf(table)}})`

/** A table's typed rows, one a key; facts with the year of their day. */
function silverSql({ columns, key, date }: Table, bronze: string, days: string): string {
  const names = columns.map(([name]) => name)
  const casts = columns.map(([name, type]) => `CAST(${name} AS ${type}) AS ${name}`)
  const present = key.map((name) => `${name} IS NOT NULL`).join(' AND ')
  const one = `SELECT DISTINCT ON (${key.map((k) => `s.${k}`).join(', ')}) ${names.map((n) => `s.${n}`).join(', ')}
    FROM (SELECT ${casts.join(', ')} FROM ${bronze} WHERE ${present}) AS s`
  const rows = `SELECT ${names.map((n) => `q.${n}`).join(', ')}, CURRENT_TIMESTAMP AS load_timestamp FROM (${one}) AS q`
  if (!date) return rows
  return `SELECT ${names.map((n) => `f.${n}`).join(', ')}, f.load_timestamp, d.d_year AS year FROM (${rows}) AS f LEFT JOIN ${days} AS d ON f.${date} = d.d_date_sk`
}

async function dbt(folder: string, data: string, out: string): Promise<Peer> {
  const { tables, gold } = await contract()
  for (const tier of ['bronze', 'silver', 'gold'])
    await mkdir(join(folder, 'models', tier), { recursive: true })
  await writeFile(
    join(folder, 'dbt_project.yml'),
    "name: lake\nversion: '1.0'\nprofile: lake\nmodel-paths: [models]\nflags: {send_anonymous_usage_stats: false}\n",
  )
  await writeFile(
    join(folder, 'profiles.yml'),
    `lake:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: ${out}/dbt.duckdb\n      threads: 1\n      settings: {threads: 2, memory_limit: 8GB, preserve_insertion_order: false}\n`,
  )
  const model = (tier: string, name: string, file: string, sql: string, partition?: string) => {
    const parts = partition ? `, 'partition_by': '${partition}', 'overwrite': 1` : ''
    const location = `${out}/${tier}/${file}${partition ? '' : '.parquet'}`
    const head = `{{ config(materialized='external', location='${location}', format='parquet', options={'compression': 'snappy'${parts}}) }}`
    return writeFile(join(folder, 'models', tier, `${name}.sql`), `${head}\n${sql}\n`)
  }
  for (const table of tables) {
    const { name, date } = table
    await model('bronze', `bronze_${name}`, name, rawSql(table, data))
    const sql = silverSql(table, `{{ ref('bronze_${name}') }}`, "{{ ref('silver_date_dim') }}")
    await model('silver', `silver_${name}`, name, sql, date && 'year')
  }
  for (const { name, query, partition } of gold) {
    const sql = query.replace(/\{(\w+)\}/g, "{{ ref('silver_$1') }}")
    await model('gold', name, name, sql, partition)
  }
  const env = { DBT_PROFILES_DIR: folder, DO_NOT_TRACK: '1' }
  return { command: process.env.DBT ?? 'dbt', args: ['--no-use-colors', 'run'], folder, env }
}

async function sqlmesh(folder: string, data: string, out: string): Promise<Peer> {
  const { tables, gold } = await contract()
  for (const tier of ['bronze', 'silver', 'gold'])
    await mkdir(join(folder, 'models', tier), { recursive: true })
  await writeFile(
    join(folder, 'config.yaml'),
    `gateways:\n  local:\n    connection:\n      type: duckdb\n      database: ${out}/mesh.duckdb\n      connector_config: {threads: 2, memory_limit: 8GB, preserve_insertion_order: false}\ndefault_gateway: local\nmodel_defaults: {dialect: duckdb, start: '2026-01-01'}\ndisable_anonymized_analytics: true\n`,
  )
  const model = (tier: string, name: string, sql: string, partition?: string) => {
    const parts = partition ? `, PARTITION_BY (${partition}), OVERWRITE_OR_IGNORE` : ''
    const file = `${out}/${tier}/${name}${partition ? '' : '.parquet'}`
    const text = `MODEL (name ${tier}.${name}, kind FULL);\n${sql};\nCOPY (SELECT * FROM @this_model) TO '${file}' (FORMAT parquet, COMPRESSION snappy${parts});\n`
    return writeFile(join(folder, 'models', tier, `${name}.sql`), text)
  }
  for (const table of tables) {
    const { name, columns, date } = table
    const list = columns.map(([column]) => column).join(', ')
    await model('bronze', name, rawSql(table, data).replace('SELECT *', `SELECT ${list}`))
    const sql = silverSql(table, `bronze.${name}`, 'silver.date_dim')
    await model('silver', name, sql, date && 'year')
  }
  for (const { name, query, partition } of gold) {
    // It takes sums of decimals for doubles unless they are cast.
    const sql = query
      .replace(/\{(\w+)\}/g, 'silver.$1')
      .replace(/sum\(s\.(net_\w+)\)/g, 'CAST(sum(s.$1) AS DECIMAL(38,2))')
    await model('gold', name, sql, partition)
  }
  const args = ['plan', '--auto-apply', '--no-prompts', '--skip-tests']
  return { command: process.env.SQLMESH ?? 'sqlmesh', args, folder, env: { DO_NOT_TRACK: '1' } }
}

async function spark(folder: string, data: string, out: string): Promise<Peer> {
  const script = join(import.meta.dirname, 'spark.py')
  const command = process.env.SPARK_PYTHON ?? 'python3'
  return { command, args: [script, data, out], folder, env: {} }
}
