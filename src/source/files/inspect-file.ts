import { open, stat } from 'node:fs/promises'
import type { FilesSource, Layout } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { byteOf } from '../text/canonical.js'
import { columnsOf } from '../text/header.js'
import type { TextLayout } from '../text/value-texts.js'
import type { RequestedTypes } from './encode.js'
import { textOf } from './ingested.js'
import { type Inspection, inspect } from './inspect.js'
import type { SourceFile } from './source-file.js'

const LONGEST = 100 * 2 ** 20
/** Bytes in which a header is looked for. */
const HEADER = 2 ** 16

/** What a file is looked over for. */
interface Purpose {
  signal?: AbortSignal | undefined
  /** Columns to keep as values … */
  requested: RequestedTypes
  /** … where the file has so many bytes. */
  valuesFrom: number
}

/** Looks over a source file before it is taken in. */
export async function inspectFile(
  file: SourceFile,
  source: FilesSource,
  { signal, requested, valuesFrom }: Purpose,
): Promise<Inspection> {
  const { layout, quote } = source
  const numbers = layout?.kind === 'json' && layout.lines
  const textLayout = await textLayoutOf(file, source, requested, valuesFrom)
  const inspection = await inspect(textOf(file), file.name, {
    quote,
    escape: source.escape,
    signal,
    numbers,
    layout: textLayout,
  })
  if (layout && !hasLines(layout)) return inspection
  if (inspection.bytes === 0 && source.header)
    throw new MoraineError('source', `${file.name} is empty: it does not even have a header`, {
      hint: 'Remove the file, or declare its columns if the files have no header.',
    })
  if (inspection.longest > LONGEST)
    throw new MoraineError('source', `${file.name} has a line of ${inspection.longest} bytes`, {
      hint: 'Lines may have up to 100 MiB. Is it a delimited text file with line breaks?',
    })
  return inspection
}

/** How columns that can be read as values are to be looked for, where the file may have some. */
async function textLayoutOf(
  file: SourceFile,
  source: FilesSource,
  requested: RequestedTypes,
  valuesFrom: number,
): Promise<TextLayout | undefined> {
  const { layout, nulls, delimiter, header, headerRows = 1, skip = 0, footer = 0 } = source
  const hasMore = footer > 0 || source.comment !== undefined || (header && headerRows > 1)
  const isUsual = !layout && nulls.length === 1 && nulls[0] === '' && !hasMore
  const code = byteOf(delimiter)
  if (!isUsual || requested.size === 0 || code === undefined) return undefined
  const found = await stat(textOf(file)).catch(() => undefined)
  if (!found || found.size < valuesFrom) return undefined
  try {
    const names = header ? await lineAt(textOf(file), skip) : undefined
    const about = { line: 1, quoted: undefined, error: undefined, raw: () => '' }
    const first = names === undefined ? [] : [{ ...about, fields: names.split(delimiter) }]
    const { columns } = columnsOf(source, first, file)
    const typed = columns.map((name) => ({ name, type: requested.get(name.toLowerCase()) }))
    return { columns: typed, delimiter: code, skip: skip + (header ? 1 : 0) }
  } catch (error) {
    // Whoever takes the file in tells.
    if (error instanceof MoraineError) return undefined
    throw error
  }
}

/**
 * A line near the start of a text, from 0; `undefined` where it is too far, or too long for a
 * header.
 */
async function lineAt(path: string, index: number): Promise<string | undefined> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEADER) })
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
    // The last may go on.
    return lines.length - 1 > index
      ? lines[index]?.replace(/^\uFEFF/, '').replace(/\r$/, '')
      : undefined
  } finally {
    await file.close()
  }
}

/** Whether what is read are the lines of a text. */
function hasLines(layout: Layout): boolean {
  return (
    ['pattern', 'pairs', 'fixed'].includes(layout.kind) || (layout.kind === 'json' && layout.lines)
  )
}
