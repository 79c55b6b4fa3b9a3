import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance, DuckDBListValue, type DuckDBValue } from '@duckdb/node-api'
import { type Engine, type LakeAddress, records, selected } from './engine.js'
import { fromGuide } from './guide.js'

const extensions = process.env.DUCKDB_EXTENSIONS
export const duckdbParts = ['iceberg', 'avro', 'httpfs'].map(
  (name) => extensions && join(extensions, `v1.5.5/linux_amd64/${name}.duckdb_extension`),
)
export const hasDuckdb = duckdbParts.every((part) => part !== undefined && existsSync(part))

const plain = (value: DuckDBValue): unknown => {
  if (value instanceof DuckDBListValue) return value.items.map(plain)
  return typeof value === 'object' && value !== null ? value.toString() : value
}

/** DuckDB with lakes attached, as the guide says. */
export async function startDuckdb(lakes: Readonly<Record<string, LakeAddress>>): Promise<Engine> {
  const instance = await DuckDBInstance.create(':memory:', {
    extension_directory: extensions as string,
    autoinstall_known_extensions: 'false',
  })
  const connection = await instance.connect()
  for (const name of ['httpfs', 'avro']) await connection.run(`LOAD ${name}`)
  for (const [name, lake] of Object.entries(lakes)) {
    await connection.run(fromGuide('DuckDB', 0, name, lake))
    if (lake.withKeys) await connection.run(fromGuide('DuckDB', 1, name, lake))
  }
  const ask = async (sql: string) => {
    const reader = await connection.runAndReadAll(sql)
    const rows = reader.getRows().map((row) => row.map(plain))
    return { columns: reader.columnNames(), rows }
  }
  return {
    run: async (sql) => (await ask(sql)).rows,
    read: async (table, where) => {
      const { columns, rows } = await ask(selected(table, where))
      return records(columns, rows)
    },
    stop: async () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
