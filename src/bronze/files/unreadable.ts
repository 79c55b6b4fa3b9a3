import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { hash } from '../../step/context.js'
import { fileSha256 } from '../../storage/checksum.js'

/**
 * Whether a file can't be read whatever is tried: what is in it is wrong, or what it is said to be.
 */
export function isFault(error: unknown): error is MoraineError {
  return (
    error instanceof MoraineError &&
    error.kind === 'source' &&
    !error.retryable &&
    !isRefused(error.cause)
  )
}

/** Whether the operating system, or the storage, refused to read: that says nothing of the file. */
function isRefused(cause: unknown): boolean {
  if (cause instanceof MoraineError) return !isFault(cause)
  const { code } = (cause ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)
}

/** What is wrong with a file, without its name. */
export function faultOf({ path, name }: SourceFile, { message }: MoraineError): string {
  // Of an object the path is a part of the name: whichever begins first is meant.
  const text = message.replaceAll(new RegExp(`${literal(path)}|${literal(name)}`, 'g'), () => name)
  if (!text.startsWith(name)) return text
  const reason = text.slice(name.length).replace(/^[\s:,]+/, '')
  return reason.replace(/^can't be read:\s*/, '')
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The row that stands for a file which can't be read. */
interface UnreadableRow {
  name: string
  batch: string
  /** What is wrong. */
  reason: string
  /** Where the file is kept, if it is. */
  kept?: string
  columns: readonly string[]
}

/**
 * Columns that such a row has: without those whose names may have been made as a row has several of
 * a kind (`a_1` beside `a`). A file that has one of these is thought to call it so itself, and the
 * others would be called otherwise from then on.
 */
export function columnsOfUnreadable(columns: readonly string[]): string[] {
  const all = new Set(columns.map((name) => name.toLowerCase()))
  return columns.filter((name) => {
    const [, of] = /^(.+)_\d+$/s.exec(name.toLowerCase()) ?? []
    return of === undefined || !all.has(of)
  })
}

/** Writes the one row that stands for a file which can't be read. */
export function writeUnreadable(
  session: Session,
  { name, batch, reason, kept, columns }: UnreadableRow,
  location: string,
): Promise<{ rows: number; bytes: number }> {
  const raw = kept === undefined ? 'the whole file' : `the whole file, kept at ${kept}`
  const sql = `SELECT ${[
    `${quoteText(batch)} AS _batch`,
    `${quoteText(name)} AS _source_file`,
    'CAST(0 AS BIGINT) AS _source_line',
    `${quoteText(reason)} AS _error`,
    `${quoteText(raw)} AS _raw`,
    ...columns.map((column) => `CAST(NULL AS VARCHAR) AS ${quoteName(column)}`),
  ].join(', ')}`
  return session.files.writeFile(sql, location)
}

/**
 * What files are read as, as a hash: where that changes, those that could not be read are tried
 * again.
 */
export function readingOf({ paths: _, base: __, ...source }: FilesSource): string {
  const plain = (_: string, value: unknown) => (value instanceof RegExp ? String(value) : value)
  return hash(JSON.stringify(source, plain))
}

const TEXT = [
  ...([
    'delimiter',
    'quote',
    'escape',
    'header',
    'headerRows',
    'columns',
    'skip',
    'footer',
  ] as const),
  ...(['comment', 'nulls', 'encoding', 'layout', 'hive'] as const),
]

/** What decides which rows a file has, as a hash: how it is split into lines, fields and names. */
export function textReadingOf(source: FilesSource): string {
  const plain = (_: string, value: unknown) => (value instanceof RegExp ? String(value) : value)
  return hash(
    JSON.stringify(
      TEXT.map((key) => source[key] ?? null),
      plain,
    ),
  )
}

/** The SHA-256 of a file's bytes; empty where it is elsewhere. */
export async function digestOfFile({ path, remote }: SourceFile): Promise<string> {
  return remote ? '' : fileSha256(path)
}
