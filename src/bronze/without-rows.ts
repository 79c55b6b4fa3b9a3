import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { quoteText } from '../define/sql/sql.js'
import type { Relation, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer, LakeState } from '../log/commit.js'
import {
  Batches,
  type BatchFile,
  type BatchManifest,
  sealFiles,
  writeManifest,
} from '../step/batches.js'
import { notAsWritten } from '../storage/checked.js'
import type { Storage } from '../storage/storage.js'

/** A batch that has rows which are meant. */
export interface TouchedBatch {
  pointer: BatchPointer
  manifest: BatchManifest
  /** Rows that go, by the names of their source files. */
  rows: ReadonlyMap<string, number>
}

/** The batches that rows lie in, by their places. */
export async function touchedBatches(
  storage: Storage,
  session: Session,
  { batches }: LakeState,
  places: Relation,
): Promise<TouchedBatch[]> {
  const found = new Map<string, Map<string, number>>()
  const counted = await session.rows(
    `SELECT _batch AS b, _source_file AS f, count(*) AS n FROM ${places.sql} GROUP BY 1, 2 ORDER BY 1, 2`,
  )
  for (const { b, f, n } of counted) {
    const rows = found.get(String(b)) ?? new Map<string, number>()
    found.set(String(b), rows.set(String(f), Number(n)))
  }
  const reader = new Batches(storage)
  const touched: TouchedBatch[] = []
  for (const pointer of Object.values(batches).flat()) {
    const rows = found.get(pointer.batch)
    if (!rows) continue
    const manifest = await reader.manifest(pointer)
    const by = await bySourceFile({ storage, session }, manifest, rows)
    touched.push({ pointer, manifest, rows: by })
  }
  return touched
}

/**
 * Rows by the names that a manifest has for source files. Those of a followed log, and of requests,
 * also say which part of them a file holds; rows say only which log, or whose requests.
 */
async function bySourceFile(
  tools: { storage: Storage; session: Session },
  { batch, files }: BatchManifest,
  rows: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const named = new Set(files.map(({ name }) => name))
  const others = new Map([...rows].filter(([name]) => !named.has(name)))
  if (others.size === 0) return rows
  const found = new Map([...rows].filter(([name]) => named.has(name)))
  for (const file of files.filter(({ name }) => !rows.has(name)))
    for (const name of await sourceFilesIn(tools, batch, file)) {
      const n = others.get(name)
      if (n !== undefined) found.set(file.name, (found.get(file.name) ?? 0) + n)
    }
  return found
}

/** What the rows of a file call what they were read from. */
async function sourceFilesIn(
  { storage, session }: { storage: Storage; session: Session },
  batch: string,
  first: BatchFile,
): Promise<string[]> {
  const location = storage.locate(first.data)
  await session.files.hold([{ location }])
  const kept = keptRows(session, batch, { location, first })
  const rows = await session.rows(`SELECT DISTINCT _source_file AS f FROM (${kept})`)
  return rows.map(({ f }) => String(f))
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0)

export const rowsOf = ({ rows }: TouchedBatch) => sum(rows.values())

/** The Parquet files of a batch that hold rows which are meant. */
export function filesOf({ manifest, rows }: TouchedBatch): string[] {
  return [...new Set(manifest.files.flatMap(({ name, data }) => (rows.has(name) ? [data] : [])))]
}

/**
 * Writes the files of a batch again without rows that are meant, and what describes it: it keeps
 * its number, its name and the places of its other rows. Source files as they came are no longer
 * part of it where they hold such rows.
 */
export class BatchRewrite {
  private readonly tag = randomBytes(4).toString('hex')

  constructor(
    private readonly storage: Storage,
    private readonly session: Session,
    private readonly places: Relation,
  ) {}

  async rewrite(batch: TouchedBatch): Promise<BatchPointer> {
    const { pointer, manifest, rows } = batch
    const folder = posix.dirname(pointer.manifest)
    const originals = originalsOf(batch)
    const files = [...manifest.files]
    for (const [i, data] of filesOf(batch).entries()) {
      const path = `${folder}/forgotten-${this.tag}-${i + 1}.parquet`
      const sources = files.filter((file) => file.data === data)
      for (const made of await this.file(pointer.batch, sources, path))
        files[files.findIndex(({ name }) => name === made.name)] = made
    }
    const left = files.map(({ original, ...file }) =>
      original && !originals.has(original.path) ? { ...file, original } : file,
    )
    const fresh = left.filter(({ data }) => data.includes(`/forgotten-${this.tag}-`))
    const sealed = await sealFiles(this.storage, fresh)
    const byName = new Map(sealed.map((file) => [file.name, file]))
    const all = left.map((file) => byName.get(file.name) ?? file)
    const at = `${folder}/forgotten-${this.tag}.json`
    const { source, ...others } = manifest
    const described = { ...others, ...withoutPosition(source), files: all }
    const { body: _, ...where } = await writeManifest(this.storage, at, described)
    const { archived: __, ...rest } = pointer
    const total = (of: 'rows' | 'bytes') => sum(all.map((file) => file[of]))
    return {
      ...rest,
      ...where,
      rows: total('rows'),
      bytes: total('bytes'),
      forgotten: (pointer.forgotten ?? 0) + sum(rows.values()),
    }
  }

  /** Writes one Parquet file again, and describes the source files that it holds. */
  private async file(
    batch: string,
    sources: readonly BatchFile[],
    path: string,
  ): Promise<BatchFile[]> {
    const { storage, session } = this
    const [first] = sources as [BatchFile, ...BatchFile[]]
    await this.check(first)
    const mine = `SELECT 1 FROM ${this.places.sql} AS p WHERE ${samePlace(batch)}`
    const { except } = session.dialect.rows
    return writtenAgain({ storage, session }, { batch, sources, path }, (kept) => {
      return `SELECT ${except(['_row_of_file'])} FROM (${kept}) AS k WHERE NOT EXISTS (${mine})`
    })
  }

  /** What is wrong with a file would be right in the next one. */
  private async check({ data, dataSha256 }: BatchFile): Promise<void> {
    if (dataSha256 !== undefined && (await this.storage.digest(data)) !== dataSha256)
      throw notAsWritten(data)
  }
}

/** SQL for the rows of a file with their numbers in it. */
function keptRows(
  { files }: Session,
  batch: string,
  { location, first }: { location: string; first: BatchFile },
): string {
  const { name, bare, firstLine } = first
  return files.keptRows({
    location,
    numbered: true,
    ...(bare ? { origin: { batch, file: name } } : {}),
    ...(firstLine === undefined ? {} : { firstLine }),
  })
}

/** SQL that a row `k` of a batch lies at a place `p`. */
const samePlace = (batch: string) =>
  `p._batch = ${quoteText(batch)} AND p._source_file = k._source_file AND p._source_line = k._row_of_file`

/**
 * The lines that rows were read from: `_batch`, `_source_file`, `_source_line`, and whether all
 * rows of the line are meant (`alone`).
 *
 * @param places rows by their numbers in the files that hold them.
 */
export async function linesOf(
  storage: Storage,
  session: Session,
  touched: readonly TouchedBatch[],
  places: Relation,
): Promise<Relation> {
  const found = [
    'SELECT CAST(NULL AS VARCHAR) AS _batch, CAST(NULL AS VARCHAR) AS _source_file, CAST(NULL AS BIGINT) AS _source_line, false AS alone WHERE false',
  ]
  for (const batch of touched)
    for (const data of filesOf(batch)) {
      const location = storage.locate(data)
      await session.files.hold([{ location }])
      const first = batch.manifest.files.find((file) => file.data === data) as BatchFile
      const kept = keptRows(session, batch.pointer.batch, { location, first })
      found.push(
        `SELECT k._batch, k._source_file, k._source_line, count(*) = count(p._batch) AS alone FROM (${kept}) AS k LEFT JOIN ${places.sql} AS p ON ${samePlace(batch.pointer.batch)} GROUP BY 1, 2, 3 HAVING count(p._batch) > 0`,
      )
    }
  return session.materialize(found.join('\nUNION ALL\n'))
}

/** A Parquet file that is written again: the source files that it holds, and where it goes. */
interface Again<F extends BatchFile> {
  batch: string
  sources: readonly F[]
  path: string
}

/**
 * Writes some rows of a Parquet file to another one, and describes the source files that it holds.
 *
 * @param choose SQL for those that are kept, without their numbers in the file (`_row_of_file`).
 */
export async function writtenAgain<F extends BatchFile>(
  { storage, session }: { storage: Storage; session: Session },
  { batch, sources, path }: Again<F>,
  choose: (kept: string) => string,
): Promise<F[]> {
  const [first] = sources as [F, ...F[]]
  const { data, nonCanonical, rawValues = '_raw_values', clean } = first
  const location = storage.locate(data)
  await session.files.hold([{ location }])
  const kept = keptRows(session, batch, { location, first })
  await storage.prepare(path)
  const target = storage.locate(path)
  const { bytes } = await session.files.writeFile(choose(kept), target, { compression: 'zstd' })
  const relation = session.files.parquet(session.files.place(target))
  const counts = await session.rows(
    `SELECT _source_file AS f, count(*) AS n, ${clean ? '0' : 'count(_error)'} AS broken, ${nonCanonical === undefined ? '0' : `count(${rawValues})`} AS other FROM ${relation} GROUP BY 1`,
  )
  const byName = new Map(counts.map((one) => [String(one.f), one]))
  const other = sum(counts.map((one) => Number(one.other)))
  // A file that holds one source file alone may call it something else than its rows do.
  const all = {
    n: sum(counts.map(({ n }) => Number(n))),
    broken: sum(counts.map(({ broken }) => Number(broken))),
  }
  return sources.map((source, i) => {
    const { known: _, bare: __, firstLine: ___, dataSha256: ____, ...file } = source
    const found = sources.length === 1 ? all : byName.get(source.name)
    return {
      ...file,
      ...(i === 0 && nonCanonical !== undefined ? { nonCanonical: other } : {}),
      rows: Number(found?.n ?? 0),
      broken: Number(found?.broken ?? 0),
      data: path,
      bytes: i === 0 ? bytes : 0,
    } as unknown as F
  })
}

/** Paths of source files as they came that hold rows which are meant. */
export function originalsOf({ manifest, rows }: TouchedBatch): Set<string> {
  return new Set(
    manifest.files.flatMap(({ name, original }) =>
      original && rows.has(name) ? [original.path] : [],
    ),
  )
}

/** From where rows of a database were read may be a value of one of them. */
function withoutPosition(source: object | undefined): { source?: object } {
  if (!source) return {}
  const { from: _, ...others } = source as { from?: unknown }
  return { source: others }
}

/** @throws MoraineError of kind `corrupt` where other rows went, or fewer. */
export function proveRows({ pointer }: TouchedBatch, after: BatchPointer, rows: number): void {
  if (pointer.rows - rows === after.rows) return
  throw new MoraineError(
    'corrupt',
    `${pointer.dataset} batch ${pointer.number} would have ${after.rows} rows in place of ${pointer.rows - rows}`,
    { hint: 'This is a bug in Moraine; nothing was changed. Please report it.' },
  )
}
