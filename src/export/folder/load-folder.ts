import type { Folder } from '../../define/export/folder.js'
import { secondsOf } from '../../define/interval.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { commentOf, type Decision, decide } from '../decide.js'
import type { TableName } from '../dialect.js'
import { type LakeTable, metadataOf, snapshotOf } from '../lake-table.js'
import {
  type Load,
  type Loaded,
  notBehind,
  type Point,
  refuseDifference,
  shownName,
} from '../load/work.js'
import { shapeOf } from '../record.js'
import { type Part, partsOf, writePart } from './pieces.js'
import { sweep } from './sweep.js'
import { TableFolder } from './table-folder.js'
import { hashOfFiles, type Piece, type Version } from './version.js'

/** A table to bring to a folder, and all it takes. */
export interface FolderLoad {
  lake: string
  /** The lake's. */
  storage: Storage
  engine: Session
  /** What the folder lies in. */
  folder: Storage
  target: Folder
  table: TableName
  now: LakeTable
  /** The same as the lake's newest commit has it. */
  newest: () => Promise<LakeTable>
  builtBy: Load['builtBy']
  full: boolean
  at: (point: Point) => void
  clock?: () => Date
}

/** Tries to publish a version at most so often: each time another export was first. */
const TRIES = 20

/**
 * Brings the files of one table to the version that the lake has. Files are written first, and a
 * manifest last, under the next number: of several exports one alone publishes it, and the others
 * look again.
 */
export async function loadFolder(given: FolderLoad): Promise<Loaded> {
  const { at, lake, target, clock = () => new Date() } = given
  const keep = (secondsOf(target.keep) ?? 86_400) * 1000
  for (let tries = 0; tries < TRIES; tries++) {
    const { folder, newest, decision, sizes, now } = await look(given, tries > 0)
    const load = { ...given, now }
    const { commit } = now
    at('planned')
    if (decision.action === 'none') {
      await folder.point()
      // Files of earlier versions go with time, whether there is a new one or not.
      if (newest && hasMore(newest, sizes)) await sweep(folder, newest, keep, clock().getTime())
      return { decision, written: 0n, rows: BigInt(newest?.rows ?? 0), commit }
    }
    const parts = await partsOf(now, target)
    const isNew = load.full && tries === 0
    const known = isNew ? undefined : newest
    const { files, written } = await filesOf(load, folder, parts, { known, isNew, sizes })
    at('compared')
    const version: Version = {
      number: (newest?.number ?? 0) + 1,
      lake,
      dataset: now.dataset,
      snapshot: snapshotOf(now),
      metadata: metadataOf(now),
      commit,
      rows: now.rows,
      hash: hashOfFiles(shapeOf(now.columns), files),
      columns: shapeOf(now.columns),
      format: target.format,
      ...(target.escapeFormulas ? { escapeFormulas: true } : {}),
      writtenAt: clock().toISOString(),
      files,
    }
    if (!(await folder.publish(version))) continue
    at('applied')
    await folder.point()
    at('recorded')
    await sweep(folder, version, keep, clock().getTime())
    at('done')
    return { decision, written, rows: BigInt(version.rows), commit }
  }
  throw new MoraineError('export', `Others keep exporting ${shownName(given.table)}`, {
    retryable: true,
    hint: 'Nothing was lost. Export again once they are done: moraine export',
  })
}

/** What a load would do; nothing is changed. */
export async function planFolder(load: FolderLoad): Promise<Loaded> {
  const { decision, newest, now } = await look(load, false)
  const { rows, commit } = now
  return { decision, written: 0n, rows: BigInt(rows), commit, has: newest?.commit }
}

async function look(load: FolderLoad, again: boolean) {
  const { lake, table, target, full } = load
  const path = table.schema === undefined ? table.name : `${table.schema}/${table.name}`
  const folder = new TableFolder(load.folder, path)
  const newest = await folder.newest()
  const now = await notBehind(load, newest?.commit)
  const strangers = newest ? [] : await folder.strangers()
  const found =
    newest || strangers.length > 0
      ? { comment: newest ? commentOf(newest.dataset) : null, isReadByViews: false }
      : undefined
  const shown = shownName(table)
  const isOwn = !newest || full || (await load.builtBy(newest)) !== undefined
  const isFull = full && !again
  const decided = decide({ lake, shown, now, record: newest, found, full: isFull, isOwn })
  const sizes = await folder.sizes()
  return { folder, newest, now, sizes, decision: withFiles(decided, newest, target, sizes) }
}

type Sizes = Awaited<ReturnType<TableFolder['sizes']>>

/** Whether there are files that a version does not have. */
function hasMore({ files }: Version, sizes: Sizes): boolean {
  const own = new Set(files.map(({ path }) => path))
  return [...sizes.keys()].some((path) => !own.has(path))
}

const isThere = (sizes: Sizes, { path, bytes }: Piece) => sizes.get(path)?.size === bytes

/** Files can say more than a record: whether they are there, and in which format. */
function withFiles(
  decision: Decision,
  newest: Version | undefined,
  { format, escapeFormulas }: Folder,
  sizes: Sizes,
): Decision {
  if (!newest) return decision
  if (newest.format !== format)
    return { action: 'replace', reason: `its files were ${newest.format}` }
  if ((newest.escapeFormulas ?? false) !== escapeFormulas)
    return { action: 'replace', reason: `its files ${escapeFormulas ? 'have' : 'hide'} formulas` }
  if (newest.files.some((file) => !isThere(sizes, file)))
    return { action: 'replace', reason: 'some of its files are gone' }
  // Files are the same or others: neither a key nor a column has to tell which rows changed.
  return decision.action === 'replace' && decision.reason.endsWith('and has no key')
    ? { action: 'changes', reason: `changed since commit ${newest.commit}`, by: [] }
    : decision
}

interface Known {
  known: Version | undefined
  isNew: boolean
  sizes: Sizes
}

/** The files of a version: those that are there, and those that are written now. */
async function filesOf(
  load: FolderLoad,
  folder: TableFolder,
  parts: readonly Part[],
  { known, isNew, sizes }: Known,
): Promise<{ files: Piece[]; written: bigint }> {
  const { engine, storage, now, target } = load
  const refuse = (difference: string | undefined) => refuseDifference(load, difference)
  const before = new Map(known?.files.map((file) => [file.id, file]))
  const files: Piece[] = []
  let written = 0n
  for (const part of parts) {
    const noted = before.get(part.id) ?? (isNew ? undefined : await folder.written(part.id))
    if (noted && isThere(sizes, noted)) {
      files.push(noted)
      continue
    }
    const piece = await writePart({ engine, storage, now, target, folder, refuse }, part)
    await folder.note(piece)
    files.push(piece)
    written += BigInt(piece.rows)
    load.at('staged')
  }
  const rows = files.reduce((all, file) => all + file.rows, 0)
  refuse(
    rows === now.rows ? undefined : `the lake has ${now.rows} rows, the files would have ${rows}`,
  )
  return { files, written }
}
