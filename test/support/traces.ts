import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../src/engine/engine.js'
import { unpackBlock } from '../../src/iceberg/codecs/block.js'
import { decodeContainer } from '../../src/iceberg/spec/avro.js'
import { filesIn } from './unzip.js'

/** All that a value may be told by: of Avro also bounds of columns, which are bytes. */
function spelled(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (value instanceof Map) return [...value].map(spelled).join(' ')
  if (Array.isArray(value)) return value.map(spelled).join(' ')
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flat().map(spelled).join(' ')
  return String(value)
}

/** What bytes say as they are, and once they are unpacked, whatever they are called. */
async function unpacked(bytes: Buffer): Promise<string[]> {
  const said = [bytes.toString('latin1')]
  if (startsWith(bytes, '1f8b')) said.push(...(await unpacked(gunzipSync(bytes))))
  if (startsWith(bytes, '504b0304'))
    for (const { path, bytes: packed } of await filesIn(bytes))
      said.push(path, ...(await unpacked(packed)))
  if (startsWith(bytes, '4f626a01')) said.push(spelled(decodeContainer(bytes, unpackBlock)))
  return said
}

const startsWith = (bytes: Buffer, first: string) =>
  bytes.subarray(0, first.length / 2).toString('hex') === first

/** What only an engine decodes. */
async function decoded(session: Session, file: string, bytes: Buffer): Promise<string[]> {
  const relation = startsWith(bytes, '50415231')
    ? `read_parquet('${file}', hive_partitioning = false)`
    : startsWith(bytes, '28b52ffd')
      ? `read_csv('${file}', compression = 'zstd', auto_detect = false, columns = {'line': 'VARCHAR'}, delim = '\u0001', quote = '', escape = '', strict_mode = false)`
      : undefined
  if (!relation) return []
  const rows = await session.rows(`SELECT CAST(t AS VARCHAR) AS v FROM ${relation} AS t`)
  return rows.map(({ v }) => String(v))
}

/**
 * The files below a folder that have one of some texts in a decoded value, in their bytes or in
 * their path, and what was found there.
 */
export async function tracesOf(folder: string, texts: readonly string[]): Promise<string[]> {
  const engine = await DuckDB.start({ threads: 2 })
  const session = await engine.open()
  const found: string[] = []
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      const path = relative(folder, file)
      const said = [path]
      if (entry.isFile()) {
        const bytes = await readFile(file)
        said.push(...(await unpacked(bytes)), ...(await decoded(session, file, bytes)))
      }
      for (const text of texts)
        if (said.some((one) => one.includes(text))) found.push(`${path}: ${text}`)
    }
  } finally {
    session.close()
    await engine.close()
  }
  return found
}
