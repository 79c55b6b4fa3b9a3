import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { progressed } from '../decoder/progress.js'
import { escapeText, SEPARATOR } from '../text/canonical.js'
import type { JsonRecord } from './json-records.js'

/** Rows that were written down, a line each. */
export interface WrittenRecords {
  records: number
  /** Bytes of the longest line, at most. */
  longest: number
  /** Numbers in some of them are marked. */
  marked: boolean
}

/** A record as a line, which ends with a line feed. */
export function recordText(record: JsonRecord, line = String(record.line)): string {
  const { json = '', error = '', raw = '' } = record
  return `${line}${SEPARATOR}${error}${SEPARATOR}${escapeText(raw)}${SEPARATOR}${escapeText(json)}\n`
}

/** Writes rows down; `lead` is what each line begins with. */
export async function writeRecords(
  records: AsyncIterable<readonly JsonRecord[]>,
  path: string,
  { signal, lead = '' }: { signal?: AbortSignal; lead?: string },
): Promise<WrittenRecords> {
  const written = { records: 0, longest: 0, marked: false }
  const texts = async function* () {
    for await (const some of records) {
      let text = ''
      for (const record of some) {
        const row = lead + recordText(record)
        written.longest = Math.max(written.longest, row.length * 3)
        if (record.marked) written.marked = true
        text += row
      }
      written.records += some.length
      progressed()
      if (text !== '') yield text
    }
  }
  await pipeline(
    Readable.from(texts(), { objectMode: true, highWaterMark: 1 }),
    createWriteStream(path),
    { ...(signal ? { signal } : {}) },
  )
  return written
}
