import { stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError, messageOf } from '../../errors.js'
import { filesSource } from '../../source/declare/files.js'
import { kindOf } from '../../source/files/kind.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { sheetNames } from '../../source/formats/excel/rows.js'
import {
  type FileOptions,
  type IngestedSample,
  ingestSample,
  lookAt,
  sizedFile,
} from '../../source/preview/look.js'
import { type Sample, withSample } from '../../source/preview/sample.js'
import { entriesOf, isZip } from '../../source/unpack/archive.js'

/** Bytes of a file up to which all of it is read. */
const WHOLE = 64 * 2 ** 20
/** Rows of a larger Parquet file that are looked at. */
const ROWS = 200_000

/** A file as a run would read it, and its rows. */
export interface Looked {
  /** Its name, without folder and endings. */
  stem: string
  options: FileOptions
  taken: IngestedSample
  /** All of it was read. */
  complete: boolean
  /** Types that the file itself says, by column. */
  natives: ReadonlyMap<string, string>
  /** Rows that there are, where that is known. */
  rows: number | null
  /** The sheet that it is, of several in a workbook. */
  sheet?: string
}

/** Looks at files, and keeps what their rows are in a folder. */
export class Looks {
  private count = 0

  constructor(
    private readonly session: Session,
    /** Where rows are kept for as long as the crawl goes on. */
    private readonly scratch: string,
    /** The folder that paths are relative to. */
    private readonly base: string,
    private readonly notes: string[],
  ) {}

  /**
   * What is in a file: nothing where it has no rows, and `undefined` where it can't be read. Both
   * are noted.
   */
  async at(
    path: string,
    hive: boolean,
    isCut: boolean,
    forced?: FileOptions,
  ): Promise<Looked[] | undefined> {
    const name = relative(this.base, path).split(sep).join('/')
    try {
      const { size, mtimeMs } = await stat(path)
      const file = { path, name, size, modified: Math.floor(mtimeMs) }
      if (isZip(path)) return someOf(await this.ofZip(file, hive))
      return await this.ofFile(file, hive, isCut, forced)
    } catch (error) {
      this.notes.push(noteOf(name, error))
      return undefined
    }
  }

  private async ofZip(file: SourceFile, hive: boolean): Promise<Looked[]> {
    const looks: Looked[] = []
    for (const part of await entriesOf(file))
      looks.push(...((await this.ofFile(part, hive, false)) ?? []))
    return looks
  }

  private ofFile(
    file: SourceFile,
    hive: boolean,
    isCut: boolean,
    forced?: FileOptions,
  ): Promise<Looked[] | undefined> {
    return withSample(file, { most: WHOLE, isCut }, async (sample) => {
      const ending = kindOf(sample.start)?.ending
      if (ending === 'xlsx' && !/\.(csv|tsv|psv|txt|json|xml)$/i.test(file.name))
        return someOf(await this.sheets(sample.file))
      if (ending === 'parquet') return [await this.parquet(sample)]
      return this.rows(sample, hive, forced)
    })
  }

  private async rows(sample: Sample, hive: boolean, forced?: FileOptions): Promise<Looked[]> {
    const look = await lookAt(sample)
    if (look.note) this.notes.push(look.note)
    const options = forced ?? { ...look.options, ...(hive ? { hive: true } : {}) }
    let best = { options, taken: await this.take(sample, options) }
    const isOften = best.taken.broken * 4 > best.taken.rows
    if (look.layout && best.taken.broken > 0 && forced === undefined)
      // What quotes mean is not always seen at the start.
      for (const other of [{ escape: '\\' }, ...(isOften ? [{ quote: null }] : [])]) {
        const again = { ...options, ...other }
        const taken = await this.take(sample, again).catch(() => undefined)
        if (taken && taken.broken < best.taken.broken) best = { options: again, taken }
      }
    const words = look.layout ? await this.wordsForNull(best.taken) : []
    // Where no quotes are meant, an escape would take the meaning from this word, too.
    const isCopy = best.options.quote === null && best.options.escape !== undefined
    const nulls = isCopy ? [...new Set(['\\N', ...words])] : words
    if (nulls.length > 0 && forced === undefined) {
      const again = { ...best.options, nulls }
      best = { options: again, taken: await this.take(sample, again) }
    }
    const { rows, broken } = best.taken
    if (broken > 0)
      this.notes.push(
        `${broken} of ${rows} records of ${sample.file.name} can't be read and will be discarded with their reasons`,
      )
    if (rows === 0) {
      this.notes.push(`${sample.file.name} has no rows (ignored)`)
      return []
    }
    const { complete } = sample
    const about = { stem: stemOf(sample.file.name), complete, natives: new Map() }
    return [{ ...best, ...about, rows: complete ? rows : null }]
  }

  /**
   * What means NULL in all columns, texts among them: `\\N`, and NULL where it stands among numbers
   * or times. An empty field is then an empty text.
   */
  private async wordsForNull({ location, columns }: IngestedSample): Promise<string[]> {
    const { patterns, aggregates } = this.session.dialect
    const { all, any } = aggregates
    const has = columns.map((name) => `${quoteName(name)} = '\\N'`)
    const among = columns.map((name) => {
      const sql = quoteName(name)
      const value = patterns.matches(sql, '[-+]?[0-9][-0-9.,:eE+TZ ]*')
      const others = all(`${sql} IS NULL OR ${sql} = 'NULL' OR ${value}`)
      return `(${any(`${sql} = 'NULL'`)} AND ${any(value)} AND ${others})`
    })
    const [row = {}] = await this.session.rows(
      `SELECT coalesce(${any(has.join(' OR '))}, false) AS n, coalesce(${among.join(' OR ')}, false) AS w
       FROM ${this.session.files.parquet(location)}`,
    )
    return [...(row.n ? ['\\N'] : []), ...(row.w ? ['NULL'] : [])]
  }

  private take(
    sample: Sample,
    options: FileOptions,
    natives?: FilesSource,
  ): Promise<IngestedSample> {
    const source = natives ?? filesSource([sample.file.name], options)
    const location = join(this.scratch, `rows-${this.count++}.parquet`)
    return ingestSample(this.session, sample, source, { location })
  }

  /** Each sheet that is not hidden is a table. */
  private async sheets(file: SourceFile): Promise<Looked[]> {
    const names = await sheetNames(file)
    const looks: Looked[] = []
    for (const name of names) {
      const own = names.length === 1 ? {} : { sheet: name }
      const sample = { file, complete: true, start: Buffer.alloc(0) }
      try {
        const taken = await this.take(sample, { ...own, format: 'excel' })
        if (taken.rows === 0)
          throw new MoraineError('source', `sheet '${name}' of ${file.name} is empty`)
        const about = { stem: stemOf(file.name), complete: true, natives: new Map() }
        looks.push({ options: own, taken, rows: taken.rows, ...about, ...own })
      } catch (error) {
        this.notes.push(noteOf(file.name, error))
      }
    }
    return looks
  }

  /**
   * Of a large file some rows are copied, of one that is cut off none: then it is its footer that
   * tells.
   */
  private async parquet({ file, complete, start }: Sample): Promise<Looked> {
    const { session } = this
    const relation = session.files.parquet(file.path)
    const found = await session.describe(`SELECT * FROM ${relation}`).catch((cause) => {
      throw new MoraineError('source', `${file.name} can't be read: ${messageOf(cause)}`)
    })
    const [row] = await session.rows(`SELECT count(*) AS n FROM ${relation}`)
    const isWhole = complete && file.size <= WHOLE
    let sample: Sample = { file, complete: true, start }
    if (!isWhole) {
      const path = join(this.scratch, `some-${this.count++}.parquet`)
      const sql = `SELECT * FROM ${relation} LIMIT ${complete ? ROWS : 0}`
      await session.run(`COPY (${sql}) TO ${quoteText(path)} (FORMAT parquet)`)
      sample = { ...sample, file: await sizedFile({ path, name: file.name, size: 0, modified: 0 }) }
    }
    const hive = file.name.split('/').some((part) => part.indexOf('=') > 0)
    const own = hive ? { hive: true } : {}
    const isParquet = /\.parquet$/i.test(file.name)
    const taken = await this.take(sample, { ...own, format: 'parquet' })
    const natives = new Map(
      taken.columns.map((name, i) => [name, found[i]?.sqlType ?? 'VARCHAR'] as const),
    )
    const known = /\.(csv|tsv|psv|txt|json|jsonl|ndjson|xml|xlsx|avro)$/i.test(file.name)
    const options: FileOptions = { ...own, ...(known && !isParquet ? { format: 'parquet' } : {}) }
    const about = { stem: stemOf(file.name), complete: isWhole, natives }
    return { options, taken, rows: Number(row?.n), ...about }
  }
}

const someOf = (looks: Looked[]) => (looks.length > 0 ? looks : undefined)

export const stemOf = (file: string) => basename(file).replace(/(\.[a-z]\w*)+$/i, '')

function noteOf(name: string, error: unknown): string {
  const said = messageOf(error)
  const named = said.includes(name) ? said : `${name}: ${said}`
  const hint = error instanceof MoraineError && error.hint ? `. ${error.hint}` : ''
  return `${named} (ignored)${hint.replace(/\n[\s\S]*/, '')}`
}
