import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ColumnType } from '../../define/types/column-type.js'
import type { RowValue } from '../../engine/engine.js'
import { WRITER_MEMORY, writeParquet } from '../../engine/parquet-file.js'
import type { diskOf } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import { withQueryMemory } from '../budget.js'
import { DiskRoom } from '../disk-room.js'
import { FairQueue } from '../service/fair-queue.js'
import { checkedWide, resultType } from './result-type.js'
import type { TypedRows } from './typed-rows.js'

/** How many files are written at a time, and may wait. */
const writers = new FairQueue(2, 100)

/** An answer as a Parquet file, which is written whole before its first bytes are sent. */
export async function* parquet(
  answer: TypedRows,
  signal?: AbortSignal,
  disk?: typeof diskOf,
): AsyncGenerator<Uint8Array> {
  const folder = await scratchFolder('parquet')
  try {
    const fields = answer.columns.map(({ name, type }) => ({ name, type: resultType(type) }))
    const lines = join(folder, 'rows.jsonl')
    const types = fields.map(({ type }) => type)
    const longest = await writeRows(answer, types, {
      path: lines,
      room: new DiskRoom(folder, disk),
    })
    const file = join(folder, 'result.parquet')
    const leave = await writers.enter('', signal)
    await withQueryMemory(WRITER_MEMORY, signal, () =>
      writeParquet({ path: lines, fields, longest }, file, signal),
    ).finally(leave)
    await rm(lines)
    yield* createReadStream(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Writes rows as lines of JSON; returns the bytes of the longest. */
async function writeRows(
  { rows }: TypedRows,
  types: readonly ColumnType[],
  { path, room }: { path: string; room: DiskRoom },
): Promise<number> {
  const file = await open(path, 'wx', 0o600)
  let longest = 0
  try {
    for await (const batch of rows) {
      const lines = batch.map((row) => {
        const cells = row.map(
          (value, i) => `"c${i}":${JSON.stringify(cellOf(value, types[i] as ColumnType))}`,
        )
        return Buffer.from(`{${cells.join(',')}}\n`)
      })
      for (const { length } of lines) longest = Math.max(longest, length)
      const all = Buffer.concat(lines)
      room.take(all.length)
      await file.write(all)
    }
  } finally {
    await file.close()
  }
  return longest
}

/** A value so that the engine reads it back as it was. */
function cellOf(value: RowValue, type: ColumnType): unknown {
  if (typeof value === 'bigint') return String(type.kind === 'decimal' ? checkedWide(value) : value)
  // ISO 8601 writes years of more than four digits so, which the engine does not read.
  if (typeof value === 'string' && times.includes(type.kind)) return value.replace(/^\+0*/, '')
  // JSON has neither these nor a negative zero.
  if (Object.is(value, -0)) return '-0'
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Uint8Array)
    return [...value].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
  if (Array.isArray(value))
    return value.map((item) => cellOf(item, type.kind === 'list' ? type.element : type))
  const fields = type.kind === 'struct' ? type.fields : []
  return Object.fromEntries(
    fields.map(({ name, type: own }) => [name, cellOf(value[name] ?? null, own)]),
  )
}

const times: readonly string[] = ['date', 'timestamp', 'timestamptz']
