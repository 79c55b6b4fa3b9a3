import { separatorOf } from '../files/separator-line.js'
import { distinctNames, keysInOrder } from '../text/names.js'
import type { RecordLayout } from '../text/record-layout.js'
import { EMPTY, RecordReader, type TextRecord } from '../text/records.js'

/** How a delimited text seems to be laid out. */
export interface DelimitedLayout {
  delimiter: string
  quote: string | null
  escape?: string
  comment?: string
  /** Lines before the header, or before the first record. */
  skip: number
  header: boolean
  /**
   * The names of all columns, where there is no header, or one that leaves some without a name of
   * their own; otherwise none.
   */
  columns: string[]
}

/** Records that a guess is made by. */
const LOOKED = 200
/** Lines of a title that may stand above a table. */
const TITLE = 20

const delimiters = [',', ';', '\t', '|', '||', '::', '|~|', '~', '^', '\u0001']

type Reading = Pick<DelimitedLayout, 'delimiter' | 'quote' | 'escape' | 'comment'>

interface Guess extends Reading {
  records: TextRecord[]
  width: number
  /** The share of records that have so many fields. */
  share: number
}

/**
 * Guesses how a text is laid out, by its first bytes. `undefined` where nothing separates columns.
 */
export function delimitedLayout(bytes: Buffer, whole: boolean): DelimitedLayout | undefined {
  const named = separatorOf(bytes)
  const layout = layoutOf(bytes, whole, named)
  // Where nothing is to be passed over behind it, a header alone shows that the line is no value.
  return layout && named !== undefined && !layout.header && layout.skip === 0
    ? { ...layout, skip: 1 }
    : layout
}

/** @param named the delimiter that the first line names. */
function layoutOf(
  bytes: Buffer,
  whole: boolean,
  named: string | undefined,
): DelimitedLayout | undefined {
  const guess = bestGuess(bytes, whole, named)
  const single = guess === undefined
  const best = guess ?? guessOf(bytes, whole, { delimiter: named ?? ',', quote: '"' })
  if (best.records.length === 0) return undefined
  const { delimiter, quote, escape: mark, comment } = best
  const title = single ? 0 : titleOf(best)
  const records = best.records.slice(title)
  const [first] = records as [TextRecord]
  const read = {
    delimiter,
    quote,
    ...(mark === undefined ? {} : { escape: mark }),
    ...(comment === undefined ? {} : { comment }),
  }
  const own = records.filter(({ error }) => error === undefined)
  const isShort = isHeader(first, own.slice(1)) && lacksFirst(first, own.slice(1))
  if (isShort) {
    // As R writes row names: the header begins above the second column.
    const names = namesWhereMissing(['', ...first.fields])
    return { ...read, skip: first.line, header: false, columns: names }
  }
  const header = isHeader(first, own.slice(1))
  const used = header ? withBlank(first.fields, own.slice(1)) : []
  return {
    ...read,
    skip: title === 0 ? 0 : first.line - 1,
    header,
    columns: header ? namesWhereMissing(used) : namesOfNone(own, best.width),
  }
}

/**
 * The reading that explains the first records best; `undefined` where all of them are one column.
 */
function bestGuess(bytes: Buffer, whole: boolean, named: string | undefined): Guess | undefined {
  const guesses = (named === undefined ? delimiters : [named])
    .filter((delimiter) => bytes.includes(delimiter))
    .flatMap((delimiter) =>
      readingsWith(delimiter, bytes, whole).map((reading) => guessOf(bytes, whole, reading)),
    )
    .filter(({ width }) => width > 1)
  const fit = ({ share, width }: Guess) => share ** 3 * (10 + Math.min(width, 20))
  const isHalf = ({ delimiter, width }: Guess) =>
    guesses.some(
      (other) =>
        other.delimiter.length > delimiter.length &&
        other.delimiter.includes(delimiter) &&
        other.share >= 0.9 &&
        other.width < width,
    )
  return guesses
    .filter((guess) => !isHalf(guess))
    .reduce<Guess | undefined>((a, b) => (a && fit(a) >= fit(b) ? a : b), undefined)
}

/** How quotes may be meant: as usual, with an escape, other ones, or not at all. */
function readingsWith(delimiter: string, bytes: Buffer, whole: boolean): Reading[] {
  const text = bytes.toString('latin1', 0, 1 << 16)
  const usual: Reading[] = [{ delimiter, quote: '"' }]
  if (text.includes('\\"')) usual.push({ delimiter, quote: '"', escape: '\\' })
  const mark = Buffer.from(delimiter).toString('latin1')
  const isSingle = text
    .split(/\r?\n|\r/)
    .some((line) => line.split(`${mark}'`).length > 1 && line.includes(`'${mark}`))
  if (isSingle) usual.push({ delimiter, quote: "'" })
  // Where a field stands between quotes, they are none of its characters.
  const isQuoted = recordsOf(bytes, { delimiter, quote: '"' }, whole).some(
    ({ error, quoted }) => error === undefined && quoted?.some(Boolean),
  )
  if (delimiter === '\t' && !isQuoted && isEscaped(text))
    return [{ delimiter, quote: null, escape: '\\' }]
  if (text.includes('"') && !isQuoted) usual.push({ delimiter, quote: null })
  const commented = /^\uFEFF?#|\n#/.test(bytes.toString('utf8', 0, 1 << 16))
  return commented ? usual.flatMap((reading) => [reading, { ...reading, comment: '#' }]) : usual
}

/**
 * Whether text between tabs is as PostgreSQL's COPY or MySQL write it: each backslash is doubled,
 * or begins a sign of theirs.
 */
function isEscaped(text: string): boolean {
  const marks: readonly string[] = text.match(/\\[\s\S]?/g) ?? []
  const isOwn = marks.every((mark) => mark === '\\' || /\\[\\NntrbfvZ0\t\n]/.test(mark))
  return isOwn && (marks.includes('\\\\') || /(^|[\t\n])\\N($|[\t\r\n])/.test(text))
}

function guessOf(bytes: Buffer, whole: boolean, reading: Reading): Guess {
  const records = recordsOf(bytes, reading, whole)
  const counts = new Map<number, number>()
  for (const { error, fields } of records)
    if (error === undefined) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1)
  const [width, agreeing] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0])
  const some = records.filter(({ error }) => error !== EMPTY).length
  return { ...reading, records, width, share: some === 0 ? 0 : agreeing / some }
}

function recordsOf(bytes: Buffer, reading: RecordLayout, whole: boolean): TextRecord[] {
  const bom = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))
  const all = bom ? bytes.subarray(3) : bytes
  const carriageReturns = !all.includes(10) && all.includes(13)
  const isNamed = separatorOf(all) !== undefined
  const text = isNamed ? all.subarray(all.indexOf(carriageReturns ? 13 : 10) + 1) : all
  const firstLine = isNamed ? 2 : 1
  const facts = { clean: false, controls: true, carriageReturns, firstLine }
  const reader = new RecordReader(reading, facts, false)
  const records = reader.push(text, whole)
  return (records.length > 0 ? records : reader.push(Buffer.alloc(0), true)).slice(0, LOOKED)
}

/**
 * Records at the start that are a title rather than a part of the table: they have one field each,
 * or none.
 */
function titleOf({ records, width, share }: Guess): number {
  const first = records.findIndex(({ fields }) => fields.length > 1)
  if (first < 1 || first > TITLE || width < 2 || share < 0.5) return 0
  return records.slice(first).every(({ fields }) => fields.length >= width - 1) ? first : 0
}

const VALUE = [
  // Numbers, with marks of thousands, currencies and percent.
  /^[^\p{L}\p{N}]{0,3}\d[\d.,'_ \u00a0\u202f]*([eE][+-]?\d+)?[^\p{L}\p{N}]{0,3}$/u,
  // Dates and times.
  /^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?$/,
  /^\d{1,2}:\d\d/,
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  /^(true|false|null|nan|n\/a)$/i,
  /^[[{]/,
  /^\S+@\S+\.\S+$/,
  /^https?:\/\//,
]

/** Whether a text looks like what stands in a table, rather than above it. */
const isValue = (text: string) => VALUE.some((pattern) => pattern.test(text.trim()))

const isYear = (text: string) => /^(19|20)\d\d$/.test(text.trim())

/**
 * Names are no values; some may be missing, as that of pandas' index, and years may stand among
 * them.
 */
function isHeader(first: TextRecord, rest: readonly TextRecord[]): boolean {
  if (first.error !== undefined) return false
  const fields = trimmedEnd(first.fields)
  const named = fields.filter((name) => name.trim() !== '')
  if (named.length * 2 < fields.length || named.length === 0) return false
  const words = named.filter((name) => !isYear(name))
  if (words.length === 0 || words.some((name) => isValue(name) || /[^\P{Cc}\t-\r]/u.test(name)))
    return false
  const sample = rest.filter((record) => record.fields.length >= fields.length)
  if (sample.length === 0) return true
  const hasValues = fields.some(
    (name, i) => !isYear(name) && sample.some(({ fields }) => isValue(fields[i] as string)),
  )
  if (hasValues) return true
  // Among words a name is one that its column does not have.
  return fields.every(
    (name, i) => name.trim() === '' || sample.every(({ fields }) => fields[i] !== name),
  )
}

/** Whether every record has one field more than the header, and something in it. */
function lacksFirst({ fields }: TextRecord, rest: readonly TextRecord[]): boolean {
  const isFull = fields.length > 1 && fields.every((name) => name.trim() !== '')
  return (
    isFull &&
    rest.length > 0 &&
    rest.every((record) => record.fields.length === fields.length + 1) &&
    rest.some((record) => record.fields.at(-1) !== '')
  )
}

/** A header without the blanks at its end, but for those above values. */
function withBlank(header: readonly string[], rest: readonly TextRecord[]): string[] {
  const named = header.findLastIndex((name) => name.trim() !== '')
  const used = Math.max(
    named,
    ...rest.map(({ fields }) =>
      fields.length > header.length ? -1 : fields.findLastIndex((field) => field !== ''),
    ),
  )
  return header.slice(0, used + 1)
}

function trimmedEnd(fields: readonly string[]): string[] {
  const end = fields.findLastIndex((name) => name.trim() !== '')
  return fields.slice(0, end + 1)
}

/** The names of all columns, where a header leaves some without one of their own. */
function namesWhereMissing(header: readonly string[]): string[] {
  const fields = header.map((name) => name.trim())
  // What is named twice has names of its own already.
  if (fields.every((name) => name !== '')) return []
  const named = fields.flatMap((name, i) => (name === '' ? [] : [[i, name] as const]))
  const own = distinctNames(keysInOrder(named.map(([, name]) => name)))
  const names = new Map(named.map(([i], n) => [i, own[n] as string]))
  const used = new Set(own.map((name) => name.toLowerCase()))
  return fields.map((_, i) => names.get(i) ?? freeName(i === 0 ? 'row' : `column_${i + 1}`, used))
}

function freeName(preferred: string, used: Set<string>): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? preferred : `${preferred}_${n}`
    if (used.has(name.toLowerCase())) continue
    used.add(name.toLowerCase())
    return name
  }
}

/** A delimiter at the end of all records makes no column. */
function namesOfNone(records: readonly TextRecord[], width: number): string[] {
  const full = records.filter(({ fields }) => fields.length === width)
  const ended = width > 1 && full.length > 0 && full.every(({ fields }) => fields.at(-1) === '')
  const columns = Math.max(1, ended ? width - 1 : width)
  return Array.from({ length: columns }, (_, i) => `column_${i + 1}`)
}
