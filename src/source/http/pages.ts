import { createHash } from 'node:crypto'
import type { HttpSource, Paging } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { raggedText } from '../canonical.js'
import {
  BrokenDocument,
  exactNumbers,
  type JsonRecord,
  JsonSplitter,
} from '../formats/json-records.js'
import { RecordReader } from '../records.js'
import type { Answer, HttpClient } from './client.js'

/** A page of rows. */
export interface Page {
  number: number
  rows: JsonRecord[]
}

/**
 * The pages of an API, one after the other.
 *
 * @param since from where on rows are asked for, as their cursor tells it.
 * @throws MoraineError of kind `source` when an answer is no JSON, or the pages have no end.
 */
export async function* pagesOf(
  source: HttpSource,
  client: HttpClient,
  since: string | undefined,
): AsyncGenerator<Page> {
  const { paging, pages } = source
  let next: URL | undefined = await firstUrl(source, client, since)
  const seen = new Set<string>()
  const asked = new Set<string>()
  let rowsBefore = 0
  for (let number = 1; next; number++) {
    const place = `${next.origin}${next.pathname}, page ${number}`
    if (number > pages) throw endless(place, `there are more than ${pages} pages`)
    asked.add(next.href)
    const answer = await client.get(next)
    const rows = rowsOf(answer, source, place)
    const print = createHash('sha256').update(answer.body).digest('hex')
    if (rows.length > 0 && seen.has(print))
      throw endless(place, 'it gives the same page again, and again')
    seen.add(print)
    yield { number, rows }
    rowsBefore += rows.length
    next = paging && nextUrl(paging, next, answer, { number, rows: rows.length, rowsBefore })
    if (next && asked.has(next.href))
      throw endless(place, 'its next page is one that was read before')
  }
}

async function firstUrl(
  { url, params, paging, cursor }: HttpSource,
  client: HttpClient,
  since: string | undefined,
): Promise<URL> {
  const first = new URL(url)
  for (const [name, value] of Object.entries(params))
    first.searchParams.set(name, await client.reveal(value))
  if (cursor && since !== undefined) first.searchParams.set(cursor.param, since)
  if (!paging) return first
  if ('page' in paging) first.searchParams.set(paging.page, String(paging.first ?? 1))
  if ('offset' in paging) {
    first.searchParams.set(paging.offset, '0')
    const { limit, size } = paging
    if (limit !== undefined && size !== undefined) first.searchParams.set(limit, String(size))
  }
  return first
}

interface Progress {
  number: number
  rows: number
  rowsBefore: number
}

function nextUrl(
  paging: Paging,
  last: URL,
  answer: Answer,
  { number, rows, rowsBefore }: Progress,
): URL | undefined {
  const withParam = (name: string, value: string) => {
    const next = new URL(last)
    next.searchParams.set(name, value)
    return next
  }
  if ('page' in paging)
    return rows === 0 ? undefined : withParam(paging.page, String((paging.first ?? 1) + number))
  if ('offset' in paging)
    return rows === 0 ? undefined : withParam(paging.offset, String(rowsBefore))
  if ('link' in paging) return linkOf(answer)
  const value = valueAt(answer, paging.next)
  if (value === undefined) return undefined
  return 'cursor' in paging ? withParam(paging.cursor, value) : new URL(value, answer.url)
}

/** The address that a `Link` header names as the next one (RFC 8288). */
function linkOf({ headers, url }: Answer): URL | undefined {
  const header = [headers.link ?? ''].flat().join(', ')
  for (const [, target = '', params = ''] of header.matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g))
    if (/;\s*rel="?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(;|$)/i.test(params))
      return new URL(target, url)
  return undefined
}

function valueAt({ body }: Answer, path: string): string | undefined {
  const value = path
    .split('.')
    .reduce<unknown>(
      (inside, name) => (inside as Record<string, unknown> | null)?.[name],
      JSON.parse(body.toString('utf8')),
    )
  return typeof value === 'string' || typeof value === 'number'
    ? String(value) || undefined
    : undefined
}

function formatOf({ type }: Answer, source: HttpSource): 'json' | 'jsonl' | 'csv' {
  if (source.format) return source.format
  return /ndjson|jsonl|json-seq/i.test(type) ? 'jsonl' : /\/csv/i.test(type) ? 'csv' : 'json'
}

/** Rows of a text with a header, as objects of texts. */
function csvRows(body: Buffer): JsonRecord[] {
  const bare = body.subarray(0, 3).equals(Buffer.from('\ufeff')) ? body.subarray(3) : body
  const facts = { carriageReturns: false, clean: false, controls: true }
  const records = new RecordReader({ delimiter: ',', quote: '"' }, facts, false).push(bare, true)
  const [header, ...rows] = records
  const names = header?.fields ?? []
  return rows.map(({ line, fields, quoted, error, raw }) => {
    const wrong =
      error ??
      (fields.length === names.length ? undefined : raggedText(fields.length, names.length))
    if (wrong !== undefined) return { line, error: wrong, raw: raw() }
    const values = fields.map((text, i) => (text === '' && !quoted?.[i] ? null : text))
    return {
      line,
      json: JSON.stringify(Object.fromEntries(names.map((name, i) => [name, values[i]]))),
    }
  })
}

function rowsOf(answer: Answer, source: HttpSource, place: string): JsonRecord[] {
  const { body } = answer
  const format = formatOf(answer, source)
  if (format === 'csv') return csvRows(body)
  if (format === 'jsonl')
    return body
      .toString('utf8')
      .split('\n')
      .flatMap((text, i) =>
        text.trim() === '' ? [] : [{ line: i + 1, ...exactNumbers(text.trim()) }],
      )
  const splitter = new JsonSplitter(source.rows === undefined ? [] : source.rows.split('.'))
  try {
    const rows = splitter.push(body, true)
    if (source.rows !== undefined && !splitter.found)
      throw new BrokenDocument(1, `it has nothing at ${source.rows}`)
    return rows.map(({ line, json = '' }) => ({ line, ...exactNumbers(json) }))
  } catch (cause) {
    if (!(cause instanceof BrokenDocument)) throw cause
    throw new MoraineError('source', `${place}: ${cause.message}`, {
      hint: 'Nothing of it was taken in. Is the answer what you expect, and are the rows where you say?',
    })
  }
}

function endless(place: string, what: string): MoraineError {
  return new MoraineError('source', `${place}: ${what}`, {
    hint: 'Nothing of it was taken in. Check paging: its parameters may not be those that the API knows. (pages: … allows more.)',
  })
}
