import { createReadStream } from 'node:fs'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { textOf } from '../files/ingested.js'
import type { Inspection } from '../files/inspect.js'
import type { SourceFile } from '../files/source-file.js'
import { type CanonicalText, headerRowsOf } from './canonical.js'
import { type HeaderColumns, headerOfRows, namesOfHeader } from './columns.js'
import { RecordReader, type TextFacts, type TextRecord } from './records.js'
import { regionOfFile } from './region.js'

/** What an inspection tells a reader of records. */
function factsOf({ carriageReturns, utf8, nul, controls }: Inspection): TextFacts {
  return { carriageReturns, clean: utf8 && !nul, controls }
}

/** How a text is read into its canonical form. */
export function canonicalOptions(file: SourceFile, source: FilesSource, inspection: Inspection) {
  return {
    ...factsOf(inspection),
    bom: inspection.bom,
    columns: source.header
      ? (header: readonly TextRecord[]) => columnsOf(source, header, file).columns.length
      : (source.columns?.length ?? 0),
  }
}

/** The records that name a file's columns. */
export function readHeader(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
): Promise<TextRecord[]> {
  return readRecords(file, source, inspection, headerRowsOf(source))
}

/** The first records of a file. */
export async function readRecords(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  most: number,
): Promise<TextRecord[]> {
  const facts = { ...factsOf(inspection), bom: inspection.bom }
  const { start, end, firstLine } = await regionOfFile(textOf(file), source, facts)
  const reader = new RecordReader(source, { ...facts, firstLine }, false)
  const found: TextRecord[] = []
  if (start < end)
    for await (const chunk of createReadStream(textOf(file), { start, end: end - 1 })) {
      found.push(...reader.push(chunk, false))
      if (found.length >= most) return found.slice(0, most)
    }
  return [...found, ...reader.push(Buffer.alloc(0), true)].slice(0, most)
}

/**
 * The columns: as declared, or as the header says.
 *
 * @throws MoraineError of kind `source` when a header is no good, or lacks a declared name.
 */
export function columnsOf(
  source: FilesSource,
  header: readonly TextRecord[],
  file: SourceFile,
): HeaderColumns {
  if (!source.header) return { columns: [...(source.columns ?? [])], outside: {} }
  const bad = header.find(({ error }) => error !== undefined)
  const control = header.find(({ fields }) => fields.some((name) => CONTROL.test(name)))
  const why = bad?.error ?? (control && 'it holds control characters')
  if (header.length < headerRowsOf(source) || why !== undefined)
    throw new MoraineError(
      'source',
      `${file.name} has no readable header${why === undefined ? '' : `: ${why}`}`,
      {
        hint: `Is it delimited text, and is its header on line ${(source.skip ?? 0) + 1}?`,
      },
    )
  return namesOfHeader(headerOfRows(header.map(({ fields }) => fields)), source, file)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a name with one of them is no name
const CONTROL = /[\x00-\x08\x0e-\x1f\x7f]/

/**
 * When every single record has another number of fields, the declaration is wrong, not the data.
 */
export function refuseWrongLayout(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  { records, ragged, firstBroken, header }: CanonicalText,
): void {
  if (records === 0 || ragged < records || !firstBroken) return
  const named = header[0]?.fields.length ?? 0
  if (named > columns.length)
    throw new MoraineError(
      'source',
      `${file.name}: column ${columns.length + 1} in the header has no name, but its records have a value there`,
      { hint: 'Set the names yourself with columns: [...] and header: true.' },
    )
  const shown = source.delimiter === '\t' ? 'tabs' : `'${source.delimiter}'`
  throw new MoraineError(
    'source',
    `${file.name}: none of its ${records} records has ${columns.length} fields separated by ${shown}; line ${firstBroken.line}: ${firstBroken.error}`,
    { hint: 'Check the delimiter and the columns passed to files().' },
  )
}
