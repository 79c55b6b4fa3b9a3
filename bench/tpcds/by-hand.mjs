/*
 * What a careful engineer writes without Moraine: text to Parquet to typed tables to reports, in
 * DuckDB's SQL, over the tables of TPC-DS. Keys are not null and unique; no reasons, lineage,
 * statistics, commits or Iceberg. TPCDS_DATA is the folder with the files, OUT where the tables go;
 * CAST=TRY_CAST lets it pass over bad values.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const { TPCDS_DATA: data, OUT: out, CAST = 'CAST' } = process.env
const { tables, gold } = JSON.parse(readFileSync(join(import.meta.dirname, 'by-hand.json'), 'utf8'))
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const instance = await DuckDBInstance.create(':memory:', {
  threads: '2',
  memory_limit: '8GB',
  preserve_insertion_order: 'false',
  temp_directory: join(out, '.tmp'),
})
const connection = await instance.connect()
const run = (sql) => connection.run(sql)
const folder = (tier, name) => {
  mkdirSync(join(out, tier, name), { recursive: true })
  return join(out, tier, name)
}

for (const { name, columns } of tables) {
  const texts = columns.map(([column]) => `'${column}': 'VARCHAR'`).join(', ')
  await run(`COPY (SELECT * FROM read_csv('${data}/${name}.dat', delim='|', header=false, quote='', escape='', nullstr='', columns={${texts}}))
    TO '${folder('bronze', name)}/part-0.parquet' (FORMAT parquet, COMPRESSION snappy)`)
}

const facts = tables.filter((table) => table.date)
for (const { name, columns, key, date } of [...tables.filter((table) => !table.date), ...facts]) {
  const casts = columns.map(([column, type]) => `${CAST}(${column} AS ${type}) AS ${column}`)
  const present = key.map((column) => `${column} IS NOT NULL`).join(' AND ')
  const rows = `SELECT *, current_timestamp AS load_timestamp FROM (SELECT DISTINCT ON (${key.join(', ')}) * FROM
    (SELECT ${casts.join(', ')} FROM read_parquet('${out}/bronze/${name}/*.parquet') WHERE ${present}))`
  const to = folder('silver', name)
  if (date)
    await run(`COPY (SELECT f.*, d.d_year AS year FROM (${rows}) f
      LEFT JOIN read_parquet('${out}/silver/date_dim/*.parquet') d ON f.${date} = d.d_date_sk)
      TO '${to}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (year), OVERWRITE_OR_IGNORE)`)
  else await run(`COPY (${rows}) TO '${to}/part-0.parquet' (FORMAT parquet, COMPRESSION snappy)`)
}

for (const { name, query, partition } of gold) {
  const sql = query.replace(
    /\{(\w+)\}/g,
    (_, table) => `read_parquet('${out}/silver/${table}/**/*.parquet')`,
  )
  const to = folder('gold', name)
  if (partition)
    await run(
      `COPY (${sql}) TO '${to}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (${partition}), OVERWRITE_OR_IGNORE)`,
    )
  else await run(`COPY (${sql}) TO '${to}/part-0.parquet' (FORMAT parquet, COMPRESSION snappy)`)
}
