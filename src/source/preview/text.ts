import { createReadStream } from 'node:fs'
import type { FilesSource } from '../../define/source.js'
import type { ResultRow } from '../../engine/engine.js'
import { abortController } from '../../signals.js'
import { type FilesOptions, filesSource } from '../declare/files.js'
import { textOf } from '../files/ingested.js'
import { settleKind } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { headerRowsOf } from '../text/canonical.js'
import { columnsOf } from '../text/header.js'
import { RecordReader, type TextRecord } from '../text/records.js'
import { regionOfFile } from '../text/region.js'
import { withUnpacked } from '../unpack/unpack.js'
import type { Preview } from './first-rows.js'

/** Bytes in which the ends of lines are looked for. */
const START = 1 << 16

/**
 * The first rows of delimited text, read as the options say, which are those of `files()`.
 *
 * @throws MoraineError of kind `source` when it has no header that can be read, or is something
 *   else.
 */
export async function previewDelimited(
  file: SourceFile,
  options: FilesOptions<string>,
  limit: number,
): Promise<Preview> {
  const said = filesSource([file.name], { ...options, format: 'delimited' })
  const { signal } = abortController()
  return withUnpacked(file, said, signal, async (readable) => {
    const source = settleKind(readable, said)
    const needed = headerRowsOf(source)
    const records = await firstRecords(readable, source, needed + limit)
    const rows = records.slice(needed)
    const width = Math.max(...rows.map(({ fields }) => fields.length), 0)
    const names = source.header
      ? columnsOf(source, records.slice(0, needed), file).columns
      : Array.from({ length: width }, (_, i) => options.columns?.[i] ?? `column ${i + 1}`)
    const [first] = rows
    return {
      columns: names.map((name) => ({ name, type: { kind: 'string' } })),
      rows: rows.map((record) => rowOf(record, names, source)),
      note: first ? `the first is line ${first.line}` : 'there are no records',
    }
  })
}

async function firstRecords(
  file: SourceFile,
  source: FilesSource,
  most: number,
): Promise<TextRecord[]> {
  const path = textOf(file)
  const start = await bytesOf(path, 0, START)
  const bom = start.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))
  const carriageReturns = !start.includes(10) && start.includes(13)
  const region = await regionOfFile(path, source, { bom, carriageReturns })
  const facts = { clean: false, controls: true, carriageReturns, firstLine: region.firstLine }
  const reader = new RecordReader(source, facts, false)
  const found: TextRecord[] = []
  if (region.start < region.end)
    for await (const chunk of createReadStream(path, {
      start: region.start,
      end: region.end - 1,
    })) {
      found.push(...reader.push(chunk, false))
      if (found.length >= most) return found.slice(0, most)
    }
  return [...found, ...reader.push(Buffer.alloc(0), true)].slice(0, most)
}

async function bytesOf(path: string, start: number, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(path, { start, end: start + length - 1 }))
    chunks.push(chunk)
  return Buffer.concat(chunks)
}

function rowOf(
  { fields, quoted, error, raw }: TextRecord,
  names: readonly string[],
  { nulls }: FilesSource,
): ResultRow {
  const texts = error === undefined ? fields : [raw()]
  return Object.fromEntries(
    names.map((name, i) => {
      const text = texts[i]
      const isNull = text === undefined || (!quoted?.[i] && nulls.includes(text))
      return [name, isNull ? null : text]
    }),
  )
}
