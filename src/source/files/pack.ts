import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import { quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { canonicalRows } from '../formats/careful.js'
import { keepTexts } from '../formats/ingest-json.js'
import type { Found } from '../formats/json-columns.js'
import { SEPARATOR } from '../text/canonical.js'
import type { NamesOutside } from '../text/names.js'
import { type Kept, keepRecords } from './encode.js'
import { folderValues, withFoldersOf } from './folders.js'
import { keptColumns, type Target } from './ingested.js'
import type { Inspection } from './inspect.js'
import type { DecodedFile, Lines } from './small-files.js'
import type { SourceFile } from './source-file.js'

/** Bytes of a file up to which it is small. */
const SMALL = 2 ** 17
/** What is kept together at most: bytes of texts, and files. */
const MOST = { bytes: 2 ** 24, files: 4096 }

/** Small files that are kept in one Parquet file. */
interface PackedFiles extends Kept, NamesOutside {
  columns: string[]
  /** Columns that they have as well, and are not kept. */
  leftOut: string[]
  /** Rows of each, in the order in which they came, and how many of them are broken. */
  files: { rows: number; broken: number }[]
}

/**
 * Small files that are laid out alike, to be kept together: a Parquet file for each would take more
 * time, and more room, than what is in them.
 */
export class Pack {
  private readonly files: DecodedFile[] = []
  private bytes = 0

  constructor(readonly source: FilesSource) {}

  /** Whether a file is one to be packed. */
  static fits({ layout }: FilesSource, { bytes }: Inspection): boolean {
    return bytes <= SMALL && layout?.kind !== 'parquet' && layout?.kind !== 'excel'
  }

  /** Whether files of another source may join: their records look alike, whatever divides them. */
  takes(source: FilesSource): boolean {
    const { delimiter: _, skip: __, ...own } = this.source
    const other = new Map(Object.entries(source))
    return Object.entries(own).every(([name, value]) => other.get(name) === value)
  }

  get isFull(): boolean {
    return this.bytes >= MOST.bytes || this.files.length >= MOST.files
  }

  /**
   * Takes a file that was decoded. `false` where it has other columns than those that are here
   * already.
   */
  add({ file, lines }: DecodedFile): boolean {
    const [first] = this.files
    if (first && namesIn(first.lines) !== namesIn(lines)) return false
    if (first && this.folderNames(first.file) !== this.folderNames(file)) return false
    this.files.push({ file, lines })
    this.bytes += lines.text.length
    return true
  }

  private folderNames({ name }: SourceFile): string {
    if (!this.source.hive) return ''
    const names = folderValues(name).map(([column]) => column)
    return names.join(SEPARATOR)
  }

  /** Rows with what the folders of their files say. */
  private inFolders<T extends { relation: string; columns: readonly string[] }>(rows: T): T {
    if (!this.source.hive) return rows
    const { files } = this
    return withFoldersOf(
      rows,
      files.map(({ file: { name } }) => [name, folderValues(name)] as const),
    )
  }

  /** Writes the rows of all of them to one Parquet file. */
  async keep(target: Omit<Target, 'large'>, valuesFrom: number): Promise<PackedFiles> {
    const { files, source } = this
    const [first] = files
    if (!first) throw new Error('It is empty')
    const { session, batch, location } = target
    const large = this.bytes >= valuesFrom
    const longest = files.reduce((most, { lines }) => Math.max(most, lines.longest), 0)
    const lineage = [`${quoteText(batch)} AS _batch`, '_source_file', '_source_line']
    const keep = async (found: Found) => {
      const { relation, columns: all } = this.inFolders(found)
      const columns = keptColumns(all, target)
      const records = { relation, columns, lineage, location }
      const kept = await keepRecords(session, records, large ? target.requested : new Map())
      return { ...kept, brokenOf: await brokenOf(session, found, kept) }
    }
    const folder = await scratchFolder('pack')
    try {
      const path = join(folder, 'texts')
      await writeFile(path, Buffer.concat(files.map(({ lines }) => lines.text)))
      const columns = first.lines.columns && [...first.lines.columns]
      const found = columns && {
        relation: canonicalRows(session, { path, columns, longest, named: true }),
        columns,
        outside: first.lines.outside ?? {},
      }
      const {
        kept,
        columns: all,
        outside,
      } = found
        ? { kept: await keep(found), ...found }
        : await keepTexts(
            { file: first.file, source, target: { ...target, large } },
            { path, longest, named: true, marked: files.some(({ lines }) => lines.marked) },
            keep,
          )
      const { brokenOf, ...facts } = kept
      const rows = files.reduce((sum, { lines }) => sum + lines.rows, 0)
      if (kept.rows !== rows)
        throw new MoraineError('source', `Read ${kept.rows} of ${rows} rows of small files`)
      const named = this.inFolders({ relation: '', columns: all }).columns
      const own = keptColumns(named, target)
      return {
        ...facts,
        ...outside,
        columns: own,
        leftOut: named.filter((name) => !own.includes(name)),
        files: files.map(({ file: { name }, lines }) => {
          return { rows: lines.rows, broken: brokenOf.get(name) ?? 0 }
        }),
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** The columns and what the header calls them. */
const namesIn = ({ columns = [], outside = {} }: Lines) => JSON.stringify([columns, outside])

/** Rows of each file that are broken. */
async function brokenOf(
  session: Session,
  { relation }: Found,
  { broken }: Kept,
): Promise<Map<string, number>> {
  if (broken === 0) return new Map()
  const counted = await session.rows(
    `SELECT _source_file AS name, count(_error) AS n FROM ${relation} GROUP BY 1`,
  )
  return new Map(counted.map(({ name, n }) => [String(name), Number(n)]))
}
