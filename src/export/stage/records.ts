import type { Readable } from 'node:stream'

/** Fields of a record; NULL is one without quotes and without anything in it. */
export type CsvRecord = (string | null)[]

/** Records of CSV as the engine writes it for exports, some at a time. */
export async function* recordsOf(csv: Readable): AsyncGenerator<CsvRecord[]> {
  csv.setEncoding('utf8')
  let rest = ''
  for await (const piece of csv as AsyncIterable<string>) {
    rest += piece
    const { records, end } = split(rest)
    rest = rest.slice(end)
    if (records.length > 0) yield records
  }
}

/** The records that are whole, and where the first begins that is not. */
function split(text: string): { records: CsvRecord[]; end: number } {
  const records: CsvRecord[] = []
  let record: CsvRecord = []
  let [at, end] = [0, 0]
  for (;;) {
    const after = text[at] === '"' ? endOfQuoted(text, at) : endOfPlain(text, at)
    const next = text[after]
    if (next === undefined) return { records, end }
    record.push(fieldOf(text, at, after))
    at = after + 1
    if (next === ',') continue
    records.push(record)
    record = []
    end = at
  }
}

/** Where what follows a field without quotes is: a comma or the end of the line. */
function endOfPlain(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== ',' && text[at] !== '\n') at++
  return at
}

function endOfQuoted(text: string, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0 || quote + 1 === text.length) return text.length
    if (text[quote + 1] !== '"') return quote + 1
    at = quote + 2
  }
}

function fieldOf(text: string, from: number, to: number): string | null {
  if (text[from] !== '"') return from === to ? null : text.slice(from, to)
  const inner = text.slice(from + 1, to - 1)
  return inner.includes('"') ? inner.replaceAll('""', '"') : inner
}
