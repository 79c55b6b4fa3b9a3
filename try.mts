import { DuckDBInstance } from '@duckdb/node-api'
import { translateTrino } from './src/sql/trino/translate.ts'
import { typeOfEngine } from './src/sql/trino/types.ts'
const i = await DuckDBInstance.create(':memory:'); const c = await i.connect()
await c.run("set timezone='UTC'")
await c.run(`create schema gold; create table gold.daily as select * from (values (1, 'a', 1.50::decimal(12,2), date '2020-01-31', timestamp '2020-01-31 10:00:00.5', 2.5::double, [1,2,null], {'x': 1, 'y': 'q'}),(2, null, 2.25, date '2020-02-29', null, null, [], null)) t(id, name, amount, day, "at", score, list, s)`)
const cols = (await c.runAndReadAll('describe gold.daily')).getRows().map(r => ({ name: String(r[0]), type: typeOfEngine(String(r[1])) }))
const table = (parts: readonly string[]) => { if (parts.at(-1)!.toLowerCase() !== 'daily') throw new Error('no table ' + parts); return { sql: '"gold"."daily"', columns: cols } }
const { readFileSync } = await import('node:fs')
const list = process.argv[2] ? readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean) : []
for (const q of list) {
  let sql = ''
  try { const w = translateTrino(q, { table }); sql = w.sql; const r = await c.runAndReadAll(sql); console.log('OK ', q, '\n     ', JSON.stringify(r.getRowsJson()).slice(0, 200), r.columnNames().join(','), r.columnTypes().map(String).join(',').slice(0,80)) }
  catch (e: any) { console.log('ERR', q, '\n   ', sql.slice(0, 600), '\n   ', e.message.slice(0, 300)) }
}
