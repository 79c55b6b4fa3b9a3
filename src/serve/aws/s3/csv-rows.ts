import { MoraineError } from '../../../errors.js'
import type { CsvLayout } from '../../../sql/trino/parse/external.js'
import type { ObjectStore, StoredObject } from './store.js'

/** Rows that are handed on together. */
const TOGETHER = 1000
/** Characters of a row. */
const LONGEST = 2 ** 24

/**
 * Rows of CSV files, as Athena's OpenCSVSerde reads them: an escape before a quote or an escape
 * stands for that, and for nothing elsewhere; cells that a line lacks are NULL, those that it has
 * more are not read. Unlike there, a text in quotes may have line breaks.
 *
 * @throws MoraineError of kind `query` for files that are no CSV.
 */
export async function* csvRows(
  store: ObjectStore,
  files: readonly StoredObject[],
  columns: number,
  layout: CsvLayout,
): AsyncGenerator<(string | null)[][]> {
  let rows: (string | null)[][] = []
  for (const file of files) {
    let skipped = 0
    for await (const cells of recordsOf(store, file, layout)) {
      if (skipped++ < layout.skip) continue
      rows.push(Array.from({ length: columns }, (_, i) => cells[i] ?? null))
      if (rows.length < TOGETHER) continue
      yield rows
      rows = []
    }
  }
  if (rows.length > 0) yield rows
}

/** What lies under an address, without what Hive takes for hidden. */
export async function csvFiles(
  store: ObjectStore,
  { bucket, key }: { bucket: string; key: string },
): Promise<StoredObject[]> {
  const folder = key === '' || key.endsWith('/') ? key : `${key}/`
  const all = await store.list(bucket, folder)
  const files = all.filter((one) => {
    const levels = one.key.slice(folder.length).split('/')
    return levels.at(-1) !== '' && !levels.some((level) => /^[_.]/.test(level))
  })
  const strange = files.find((one) => one.link || /\.(gz|bz2|zst|snappy|parquet)$/i.test(one.key))
  if (strange)
    throw new MoraineError('query', `s3://${bucket}/${strange.key} is not a plain CSV file`, {
      hint: 'Put the file there as it is, not compressed.',
    })
  return files
}

async function* recordsOf(
  store: ObjectStore,
  file: StoredObject,
  layout: CsvLayout,
): AsyncGenerator<string[]> {
  const address = `s3://${file.bucket}/${file.key}`
  let open: Record | undefined
  for await (const line of linesOf(store.read(file, 0, file.size - 1), address)) {
    open = read(line, layout, open)
    if (open.length > LONGEST)
      throw new MoraineError('query', `A row of ${address} is longer than ${LONGEST} characters`, {
        hint: 'Is a quote not closed? Set quoteChar and escapeChar in SERDEPROPERTIES.',
      })
    if (open.isQuoted) continue
    yield open.cells
    open = undefined
  }
  if (open)
    throw new MoraineError('query', `A quote is not closed at the end of ${address}`, {
      hint: 'Set quoteChar and escapeChar in SERDEPROPERTIES as the file has them.',
    })
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>, address: string) {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (part?: Uint8Array) => {
    try {
      return part ? decoder.decode(part, { stream: true }) : decoder.decode()
    } catch {
      throw new MoraineError('query', `${address} is not UTF-8`, {
        hint: 'Write the file in UTF-8.',
      })
    }
  }
  let rest = ''
  for await (const part of bytes) {
    const lines = (rest + decode(part)).split('\n')
    rest = lines.pop() as string
    for (const line of lines) yield line.replace(/\r$/, '')
    if (rest.length > LONGEST)
      throw new MoraineError('query', `A line of ${address} is longer than ${LONGEST} characters`)
  }
  rest += decode()
  if (rest !== '') yield rest.replace(/\r$/, '')
}

/** A row as far as it is read. */
interface Record {
  /** The last of them is not ended where it is in quotes. */
  cells: string[]
  isQuoted: boolean
  length: number
}

/** Reads a line, which may go on where the one before has left a quote open. */
function read(line: string, layout: CsvLayout, before?: Record): Record {
  const { separator, quote } = layout
  const cells = before?.cells ?? []
  let cell = before ? `${cells.pop()}\n` : ''
  let isQuoted = before !== undefined
  for (let i = 0; i < line.length; i++) {
    const [char, next] = [line[i] as string, line[i + 1]]
    if (char === layout.escape && char !== quote) {
      if (isQuoted && (next === quote || next === char)) cell += line[++i]
    } else if (char === quote) {
      if (isQuoted && next === quote) cell += line[++i]
      else if (isQuoted) isQuoted = false
      else if (cell.trim() !== '') cell += char
      else [cell, isQuoted] = ['', true]
    } else if (char === separator && !isQuoted) {
      cells.push(cell)
      cell = ''
    } else cell += char
  }
  cells.push(cell)
  return { cells, isQuoted, length: (before?.length ?? 0) + line.length + 1 }
}
