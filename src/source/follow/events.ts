import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import type { FilesSource } from '../../define/source.js'
import { textOf } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import { type RowText, rowTextOf } from '../formats/document.js'
import type { JsonRecord } from '../formats/json-records.js'
import { splitOf } from '../formats/lines.js'
import { textDecoder } from '../text/decode-text.js'

/** Bytes of one event. */
const LONGEST = 100 * 2 ** 20
/** Bytes of a line that is longer which are shown. */
const SHOWN = 1000
/** Records that are handed on together. */
const TOGETHER = 1000

/** The part of a log that is read, from a place on. */
export interface Chunk {
  file: SourceFile
  source: FilesSource
  /** Where it begins, and how many lines are before it. */
  offset: number
  line: number
  /** Where it ends, as far as the file was long. */
  end: number
  /** Nothing comes behind it: the last event is complete, … */
  eventsEnd: boolean
  /** … and so is the last line, though no line end follows. */
  linesEnd: boolean
  signal: AbortSignal
}

/** Up to where a part was read: behind the last event that is complete. */
export interface Reached {
  offset: number
  line: number
}

/** The events of a part as rows; `reached` is told how far they go. */
export async function* eventsOf(part: Chunk, reached: Reached): AsyncGenerator<JsonRecord[]> {
  const { source } = part
  const start = source.follow?.event
  const begins = start && new RegExp(start.source, start.flags.replace(/[gy]/g, ''))
  const toRow = rowOf(source)
  let records: JsonRecord[] = []
  let event:
    | { line: number; texts: string[]; bytes: number; fault?: string | undefined }
    | undefined
  const flush = () => {
    if (!event) return
    const { line, texts, fault } = event
    const text = texts.join('\n')
    const found = fault === undefined ? toRow(text) : { error: fault }
    event = undefined
    if (!found) return
    records.push('error' in found ? { line, ...found, raw: text } : { line, ...found })
  }
  let [offset, line] = [part.offset, part.line]
  for await (const { text, bytes, fault, ends } of linesOf(part)) {
    const isFirst = begins ? begins.test(text) : true
    if (isFirst) {
      flush()
      Object.assign(reached, { offset, line })
    }
    if (!ends && !part.linesEnd) {
      // An unfinished line begins nothing: whether it belongs to the event before it, its rest
      // tells.
      if (!isFirst) event = undefined
      break
    }
    offset += bytes
    line++
    if (event) {
      event.texts.push(text)
      event.bytes += bytes
      if (event.bytes > LONGEST) flush()
    } else {
      const before = begins && !isFirst ? 'it is before the first event' : undefined
      event = { line, texts: [text], bytes, fault: fault ?? before }
      // Lines that belong to no event are rows of their own, which say so.
      if (before) flush()
    }
    if (event && fault !== undefined) event.fault = fault
    if (!begins || !event) {
      flush()
      Object.assign(reached, { offset, line })
    }
    if (records.length < TOGETHER) continue
    yield records
    records = []
  }
  if (part.eventsEnd && event) {
    flush()
    Object.assign(reached, { offset, line })
  }
  if (records.length > 0) yield records
}

function rowOf(source: FilesSource): (text: string) => RowText | undefined {
  const { layout, columns = [], nulls, follow } = source
  const whole =
    follow?.event && layout?.kind === 'pattern'
      ? {
          ...layout,
          pattern: new RegExp(
            layout.pattern.source,
            `s${layout.pattern.flags.replace(/[gys]/g, '')}`,
          ),
        }
      : layout
  const split = splitOf({ ...source, layout: whole })
  if (!split) return rowTextOf(layout)
  return (text) => {
    if (text === '') return { error: 'empty line' }
    const fields = split(text)
    if (typeof fields === 'string') return { error: fields }
    const row = columns.map((name, i) => {
      const value = fields[i] ?? ''
      return `${JSON.stringify(name)}:${nulls.includes(value) ? 'null' : JSON.stringify(value)}`
    })
    return { json: `{${row.join(',')}}` }
  }
}

interface Line {
  text: string
  /** Bytes, with its end. */
  bytes: number
  fault?: string
  /** Its end is there. */
  ends: boolean
}

async function* linesOf({ file, source, offset, end, signal }: Chunk): AsyncGenerator<Line> {
  if (end <= offset) return
  const decode = textDecoder(source.encoding ?? 'utf-8')
  const isUnicode = /^utf-?8$/i.test(source.encoding ?? 'utf-8')
  const lineOf = (bytes: Buffer, ends: boolean): Line => {
    let to = bytes.length - (ends ? 1 : 0)
    if (to > 0 && bytes[to - 1] === 13) to--
    const content = bytes.subarray(0, to)
    const fault = content.includes(0)
      ? 'NUL bytes'
      : isUnicode && !isUtf8(content)
        ? 'invalid UTF-8'
        : undefined
    const text = (fault ? content.toString('latin1') : decode(content)).replaceAll('\0', '\\x00')
    return { text, bytes: bytes.length, ends, ...(fault ? { fault } : {}) }
  }
  let rest: Buffer[] = []
  let held = 0
  /** Bytes of a line that is too long, beyond those of it that are shown. */
  let beyond = 0
  const longOf = (ends: boolean): Line => {
    const text = Buffer.concat(rest).toString('latin1')
    return { text, bytes: held + beyond, ends, fault: 'more than 100 MiB' }
  }
  for await (const chunk of createReadStream(textOf(file), {
    start: offset,
    end: end - 1,
    signal,
  })) {
    let at = 0
    const bytes = chunk as Buffer
    for (let to = bytes.indexOf(10, at); to >= 0; to = bytes.indexOf(10, at)) {
      const piece = bytes.subarray(at, to + 1)
      if (beyond > 0) {
        beyond += piece.length
        yield longOf(true)
      } else yield lineOf(rest.length > 0 ? Buffer.concat([...rest, piece]) : piece, true)
      rest = []
      held = 0
      beyond = 0
      at = to + 1
    }
    if (at === bytes.length) continue
    if (beyond > 0) {
      beyond += bytes.length - at
      continue
    }
    rest.push(bytes.subarray(at))
    held += bytes.length - at
    if (held <= LONGEST) continue
    beyond = held - SHOWN
    held = SHOWN
    rest = [Buffer.concat(rest).subarray(0, SHOWN)]
  }
  if (beyond > 0) yield longOf(false)
  else if (rest.length > 0) yield lineOf(Buffer.concat(rest), false)
}
