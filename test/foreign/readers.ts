import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ResultRow } from '../../src/engine/engine.js'
import { repository } from '../support/project.js'

export const python = process.env.MORAINE_PYTHON
export const sparkJar = process.env.MORAINE_SPARK_JAR

/** What another engine saw of a table. */
export interface Seen {
  columns: [string, string][]
  partitions?: [string, string][]
  properties?: Record<string, string>
  docs?: Record<string, string>
  rows: ResultRow[]
  snapshots: [string, number][]
  files: number[]
  filtered: Record<string, number | { rows: number; files: number }>
}

export interface TableToRead {
  name: string
  /** Location of the metadata file. */
  metadata: string
  filters: string[]
}

/** Reads tables with PyIceberg or Spark. */
export async function readBy(
  engine: 'pyiceberg' | 'spark',
  tables: readonly TableToRead[],
): Promise<Record<string, Seen>> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-readers-'))
  const list = join(folder, 'tables.json')
  await writeFile(list, JSON.stringify(tables))
  const script = join(repository, `test/foreign/read_${engine}.py`)
  const args = engine === 'spark' ? [script, sparkJar as string, list] : [script, list]
  const run = promisify(execFile)
  const { stdout } = await run(python as string, args, { maxBuffer: 1 << 28 })
  await rm(folder, { recursive: true })
  return JSON.parse(stdout.slice(stdout.indexOf('{"')))
}

/** Rows as sorted JSON texts, numbers alike whatever their type. */
export function comparable(rows: readonly ResultRow[]): string[] {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return Number(value)
    if (Number.isNaN(value)) return 'NaN'
    if (Array.isArray(value)) return value.map(plain)
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, plain(v)]),
      )
    return value
  }
  return rows.map((row) => JSON.stringify(plain(row))).sort()
}
