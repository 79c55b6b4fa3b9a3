// One query over Parquet files, as a script by hand runs it: VIEWS names a file of SQL, the query is the argument.
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
await connection.run(readFileSync(process.env.VIEWS, 'utf8'))
const result = await connection.stream(process.argv[2])
for await (const rows of result.yieldRowsJson())
  for (const row of rows) console.log(JSON.stringify(row))
