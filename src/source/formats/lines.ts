import type { FilesSource, Layout } from '../../define/source.js'
import { EMPTY, RecordReader, type TextFacts, type TextRecord } from '../text/records.js'

/** Splits a line into fields; a text says why it can't be. A field that is missing is empty. */
type Split = (line: string) => string[] | string

/** A text whose lines are records that no delimiter splits. */
export class LineReader {
  private readonly lines: RecordReader

  constructor(
    private readonly split: Split,
    facts: TextFacts,
    comment?: string,
  ) {
    const layout = { delimiter: NEVER, quote: null, ...(comment === undefined ? {} : { comment }) }
    this.lines = new RecordReader(layout, facts, false)
  }

  push(chunk: Buffer, last: boolean): TextRecord[] {
    return this.lines.push(chunk, last).map((record) => this.read(record))
  }

  private read(record: TextRecord): TextRecord {
    if (record.error !== undefined) return record
    const text = record.fields.join(NEVER)
    const fields = this.split(text)
    return typeof fields === 'string'
      ? { ...record, fields: [], error: fields, raw: () => text }
      : { ...record, fields, raw: () => text }
  }
}

/**
 * No delimiter is looked for: the line comes as one field, or in parts that are put together again.
 */
const NEVER = '\x00'

/** How lines of a source are split, where each is a record with the same columns. */
export function splitOf({ layout, columns = [] }: FilesSource): Split | undefined {
  if (layout?.kind === 'fixed') return splitFixed(layout.widths)
  if (layout?.kind === 'pattern') return splitPattern(layout, columns)
  return undefined
}

function splitPattern(
  { pattern }: Extract<Layout, { kind: 'pattern' }>,
  columns: readonly string[],
): Split {
  const whole = new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, ''))
  return (line) => {
    const groups = whole.exec(line)?.groups
    return groups ? columns.map((name) => groups[name] ?? '') : 'it does not fit the pattern'
  }
}

function splitFixed(widths: readonly number[]): Split {
  const ends = widths.map((_, i) => widths.slice(0, i + 1).reduce((a, b) => a + b, 0))
  const starts = [0, ...ends]
  const total = ends.at(-1) ?? 0
  const needed = starts[widths.length - 1] ?? 0
  // A character may be two units of JavaScript's strings.
  const isWide = (line: string) => /[\ud800-\udbff]/.test(line)
  return (line) => {
    const characters = isWide(line) ? [...line] : undefined
    const length = characters?.length ?? line.length
    const cut = (from: number, to?: number) =>
      characters ? characters.slice(from, to).join('') : line.slice(from, to)
    if (length <= needed || cut(total).trim() !== '')
      return `${length} characters instead of ${total}`
    return widths.map((_, i) => cut(starts[i] as number, ends[i]).trim())
  }
}

/**
 * `key=value` pairs, also of equal keys: values may stand in quotes, with `\"` and `\\` in them; a
 * word alone is true. A text says why they are none.
 */
export function readPairs(line: string): [key: string, value: string][] | string {
  const found: [string, string][] = []
  const pair = /\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]*)(?=\s|$)))?(?=\s|$)/y
  let at = 0
  while (at < line.trimEnd().length) {
    pair.lastIndex = at
    const match = pair.exec(line)
    if (!match) return `there is no key=value at character ${at + 1}`
    const [all, key = '', quoted, bare] = match
    found.push([key, quoted === undefined ? (bare ?? 'true') : unquoted(quoted)])
    at += all.length
  }
  return at === 0 ? EMPTY : found
}

function unquoted(text: string): string {
  return text.replace(/\\(.)/g, (_, letter) =>
    letter === 'n' ? '\n' : letter === 't' ? '\t' : letter,
  )
}
