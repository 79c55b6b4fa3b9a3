import { RecordReader, type TextRecord } from './records.js'

/** How a text seems to be laid out. */
export interface DelimitedLayout {
  delimiter: string
  header: boolean
  /** As the header says, or `column 1` and so on. */
  names: string[]
  /** The first records, without the header. */
  records: TextRecord[]
}

const delimiters = [',', '|', '\t', ';']

/** Guesses how a text is laid out, by its first bytes. There are as many names as its header and the first `rows` have fields. */
export function delimitedLayout(bytes: Buffer, whole: boolean, rows = 50): DelimitedLayout {
  const layouts = delimiters.map((delimiter) => {
    const records = recordsOf(bytes, delimiter, whole)
    return { delimiter, records, fit: fitOf(records) }
  })
  const best = layouts.reduce((a, b) => (b.fit > a.fit ? b : a))
  const header = isHeader(best.records)
  const width = Math.max(...best.records.slice(0, rows + 1).map((r) => r.fields.length), 1)
  const first = header ? best.records[0]?.fields : undefined
  const names = Array.from({ length: width }, (_, i) => first?.[i]?.trim() || `column ${i + 1}`)
  return { delimiter: best.delimiter, header, names, records: best.records.slice(header ? 1 : 0) }
}

function recordsOf(bytes: Buffer, delimiter: string, whole: boolean): TextRecord[] {
  const facts = {
    clean: false,
    controls: true,
    carriageReturns: !bytes.includes(10) && bytes.includes(13),
  }
  const reader = new RecordReader({ delimiter, quote: '"' }, facts, false)
  const records = reader.push(bytes, whole)
  return records.length > 0 ? records : reader.push(Buffer.alloc(0), true)
}

/** How well a delimiter explains the first records: fields, times the share of records that agree. */
function fitOf(records: readonly TextRecord[]): number {
  const widths = records.slice(0, 50).map((record) => record.fields.length)
  const counts = new Map<number, number>()
  for (const width of widths) counts.set(width, (counts.get(width) ?? 0) + 1)
  const [width, agreeing] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0])
  return width < 2 ? 0 : (agreeing / widths.length) * (10 + width)
}

const isNumber = (text: string) => /^[+-]?[\d.,]+$/.test(text)

/** Names are words, each once, over columns of which some hold something else. */
function isHeader([first, ...rest]: readonly TextRecord[]): boolean {
  if (!first || first.error) return false
  const names = first.fields
  const wordy = names.every((name) => /^[\p{L}_][\p{L}\p{N}_ .-]*$/u.test(name.trim()))
  if (!wordy || new Set(names).size < names.length) return false
  const sample = rest.slice(0, 50).filter((record) => record.fields.length === names.length)
  return (
    names.some((_, i) => sample.some(({ fields }) => isNumber(fields[i] as string))) ||
    sample.length === 0
  )
}
