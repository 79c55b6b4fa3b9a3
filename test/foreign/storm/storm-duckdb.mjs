/*
 * A writer of a storm: DuckDB, which runs statements; all of a line are one transaction.
 *
 * usage: storm-duckdb.mjs EXTENSIONS URL TOKEN
 */
import { createInterface } from 'node:readline'
import { DuckDBInstance } from '@duckdb/node-api'

const [extensions, url, token] = process.argv.slice(2)
const instance = await DuckDBInstance.create(':memory:', {
  extension_directory: extensions,
  autoinstall_known_extensions: 'false',
  threads: '1',
})
const db = await instance.connect()
for (const name of ['httpfs', 'avro', 'iceberg']) await db.run(`LOAD ${name}`)
await db.run(`CREATE SECRET lake_token (TYPE iceberg, TOKEN '${token}')`)
let isAttached = false

async function answer(statements) {
  // Whatever is in the way when it begins is gone later.
  if (!isAttached)
    await db.run(`ATTACH 'lake' AS lake (TYPE iceberg, ENDPOINT '${url}', SECRET lake_token)`)
  isAttached = true
  if (statements.length === 1) return (await db.runAndReadAll(statements[0])).getRowsJson()
  await db.run('BEGIN')
  try {
    for (const statement of statements) await db.run(statement)
    await db.run('COMMIT')
  } catch (error) {
    // Where it has ended already there is nothing to be undone.
    await db.run('ROLLBACK').catch(() => {})
    throw error
  }
}

const say = (words) => console.log(JSON.stringify(words))
say({ id: 0 })
for await (const line of createInterface({ input: process.stdin })) {
  const { id, sql } = JSON.parse(line)
  try {
    say({ id, value: await answer(sql) })
  } catch (error) {
    say({ id, error: error.message })
  }
}
