// Queries over Parquet files, as a script by hand runs them: VIEWS names a file of SQL, the queries
// are the arguments.
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
await connection.run(readFileSync(process.env.VIEWS, 'utf8'))
for (const query of process.argv.slice(2)) {
  const result = await connection.stream(query)
  for await (const rows of result.yieldRowsJson())
    for (const row of rows) console.log(JSON.stringify(row))
}
