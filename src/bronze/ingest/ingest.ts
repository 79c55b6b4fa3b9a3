import { createHash } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { IngestSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import type { JsonRecord } from '../../source/formats/json-records.js'
import { exactNumbers } from '../../source/formats/json-records.js'
import { takeRecords } from '../../source/formats/take-json.js'
import { Batches, type BatchFile, sealFiles } from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { wantedTypes } from '../../step/requested-types.js'
import { sha256 } from '../../storage/checksum.js'
import type { StoredObject } from '../../storage/storage.js'
import { commitRows, type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { Intake, Offer } from '../offer.js'
import { isAtFault, mayBeItsBytes } from '../quarantine/blame.js'
import {
  groupsBySuspicion,
  ProcessEnded,
  type Suspects,
  suspectsOf,
  whileReading,
} from '../quarantine/reading.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { setAside } from '../quarantine/set-aside.js'
import { encodeLanded, isDamaged, type Landed, Landing, strayNotes } from './landing.js'
import {
  hashOfRows,
  hasOwnKey,
  indexKeys,
  type RecentlySent,
  recentlySent,
  type Sent,
  type SentRequest,
  sameRequest,
} from './sent-requests.js'

/** Bytes that are taken in as one batch. */
const TOGETHER = 256 * 2 ** 20

/** Looks whether requests have landed. */
export async function discoverLanded(
  dataset: Bronze,
  source: IngestSource,
  batches: Batches,
): Promise<Offer> {
  const landing = new Landing(batches.storage, dataset.name)
  const { objects, strays } = await landing.look()
  const n = objects.length
  const news = n === 0 ? undefined : `${n} ${n === 1 ? 'object has' : 'objects have'} landed`
  return {
    discovery: { news, none: 'nothing has landed', notes: strayNotes(dataset, strays) },
    take: (context, base) => take(context, dataset, source, base, batches),
  }
}

async function take(
  context: RunContext,
  dataset: Bronze,
  source: IngestSource,
  base: LakeState,
  batches: Batches,
): Promise<Intake> {
  const name = fullName(dataset)
  const landing = new Landing(context.storage, dataset.name)
  const known = await recentlySent(base, name, batches)
  let done = nothingYet(base)
  const all = await landing.list()
  // A run that was killed after its commit has left what it had taken in.
  const left = all.filter(({ path }) => known.landed.has(path))
  const fresh = all.filter(({ path }) => !known.landed.has(path))
  await removeAll(context, left)
  const suspects = await suspectsOf(context.storage, dataset)
  for (const group of groupsOf(fresh)) {
    context.signal.throwIfAborted()
    const { reached } = (base.watermarks[name] ?? {}) as Reached
    const objects = { landing, group, batches }
    const reader = new LandedIntake(context, dataset, source, objects, known, reached)
    done = await reader.take(done, suspects)
    await removeAll(context, group)
  }
  await suspects.forget()
  return done
}

function groupsOf(objects: readonly StoredObject[]): StoredObject[][] {
  const groups: StoredObject[][] = []
  let bytes = 0
  for (const object of objects) {
    if (groups.length === 0 || bytes + object.size > TOGETHER) {
      groups.push([])
      bytes = 0
    }
    bytes += object.size
    groups.at(-1)?.push(object)
  }
  return groups
}

async function removeAll(context: RunContext, objects: readonly StoredObject[]): Promise<void> {
  for (const { path } of objects) await context.storage.remove(path)
}

/** Landed objects that become one batch, unless one of them can't be read. */
interface Group {
  landing: Landing
  group: readonly StoredObject[]
  batches: Batches
}

/** A landed object, or some of its requests. */
export interface Piece {
  path: string
  /** Its requests from the first to before the last that are meant; all of them without it. */
  part?: { from: number; to: number; of: number }
}

/** How far an object was read that is read in pieces, as the watermark says in the commit of each. */
interface Reached {
  reached?: { path: string; to: number; of: number }
}

function reachedBy(last: Piece | undefined): Reached {
  const { path = '', part } = last ?? {}
  return part && part.to < part.of ? { reached: { path, to: part.to, of: part.of } } : {}
}

/** Pieces that are tried to find out whether anything can be read. */
const TRIED = 5

/** Reads landed objects: together, and where that fails, in halves, until what can't be read is alone. */
class LandedIntake {
  private readonly pieces: readonly Piece[]
  private isAnyRead = false

  constructor(
    private readonly context: RunContext,
    private readonly dataset: Bronze,
    private readonly source: IngestSource,
    private readonly group: Group,
    private readonly known: RecentlySent,
    reached?: Reached['reached'],
  ) {
    this.pieces = group.group.map(({ path }) => {
      if (path !== reached?.path) return { path }
      const { to: from, of } = reached
      return { path, part: { from, to: of, of } }
    })
  }

  async take(before: Intake, suspects: Suspects): Promise<Intake> {
    let done = before
    const pieces = suspects.together.size === 0 ? this.pieces : await this.apart(suspects)
    for (const { objects, isAlone } of groupsBySuspicion(pieces, suspects, nameOf))
      done =
        isAlone && objects[0]
          ? await this.setAside(done, objects[0], new ProcessEnded(nameOf(objects[0])))
          : await this.all(done, objects)
    return done
  }

  /** Objects that processes ended at while they read nothing else, by their requests. */
  private async apart({ together }: Suspects): Promise<Piece[]> {
    const found: Piece[] = []
    for (const { path, part } of this.pieces) {
      const piece = part ? { path, part } : { path }
      const isSplit = [...together.keys()].some((name) => name.startsWith(`${path}#`))
      const all =
        isSplit || together.get(nameOf(piece)) === 1
          ? (part ?? (await this.requestsOf(path)))
          : undefined
      if (!all || all.to - all.from < 2) found.push(piece)
      else
        for (let from = all.from; from < all.to; from++)
          found.push({ path, part: { from, to: from + 1, of: all.of } })
    }
    return found
  }

  private async all(done: Intake, pieces: readonly Piece[]): Promise<Intake> {
    try {
      const result = await whileReading(this.context, this.dataset, pieces.map(nameOf), () =>
        this.together(done, pieces),
      )
      this.isAnyRead = true
      return result
    } catch (error) {
      this.context.signal.throwIfAborted()
      if (!mayBeItsBytes(error)) throw error
      const halves = await this.halvesOf(pieces)
      if (halves) {
        const [first, second] = halves
        return this.all(await this.all(done, first), second)
      }
      return this.setAside(done, pieces[0] as Piece, error)
    }
  }

  /** Objects apart; of one object, its requests. `undefined` for a single request. */
  private async halvesOf(pieces: readonly Piece[]): Promise<[Piece[], Piece[]] | undefined> {
    const middle = Math.ceil(pieces.length / 2)
    if (pieces.length > 1) return [pieces.slice(0, middle), pieces.slice(middle)]
    const { path, part } = pieces[0] as Piece
    const all = part ?? (await this.requestsOf(path))
    if (!all || all.to - all.from < 2) return undefined
    const cut = Math.ceil((all.from + all.to) / 2)
    return [[{ path, part: { ...all, to: cut } }], [{ path, part: { ...all, from: cut } }]]
  }

  private async requestsOf(path: string): Promise<Required<Piece>['part'] | undefined> {
    const requests = await unlessDamaged(this.group.landing, path)
    return requests && { from: 0, to: requests.length, of: requests.length }
  }

  /** One batch of all of them. */
  private async together(done: Intake, pieces: readonly Piece[]): Promise<Intake> {
    const { context, dataset } = this
    const { requests: known } = this.known
    const { batches } = this.group
    const _name = fullName(dataset)
    const batch = newBatch(context, done.state, dataset)
    const data = `${batch.folder}/00001.parquet`
    const before = [...known]
    await context.storage.prepare(data)
    const { read, columns, kept } = await this.read(pieces, batch.batch, data)
    const { notes, keys, hashes, bytes, content } = read
    if (kept.rows === 0) {
      await context.storage.remove(data)
      return { ...done, notes: [...done.notes, ...notes] }
    }
    const place = placeOf(dataset)
    const modified = context.started.getTime()
    const taken: BatchFile = {
      name: `${place}#${batch.number}`,
      size: bytes,
      modified,
      sha256: content.digest('hex'),
      data,
      ...kept,
    }
    const files = await sealFiles(context.storage, [taken])
    const sent: Sent = { landed: finished(pieces), keys, hashes }
    const about = { name: dataset.name, batch: batch.batch, number: batch.number }
    const index = await indexKeys(done.state, about, batches, before)
    const result = await commitRows(context, done, {
      dataset,
      batch,
      files,
      columns,
      source: sent,
      watermark: {
        landed: pieces.at(-1)?.path,
        ...(index ? { index } : {}),
        ...reachedBy(pieces.at(-1)),
      },
      more: {},
    })
    for (const [i, key] of keys.entries())
      known.set(key, { hash: hashes[i] as string, at: context.started.getTime() })
    return { ...result, notes: [...result.notes, ...notes] }
  }

  /** Writes the rows of pieces to a Parquet file. */
  async read(pieces: readonly Piece[], batch: string, data: string) {
    const { context, dataset, source } = this
    const read = new GroupReader(this.group.landing, pieces, this.known.requests)
    const place = placeOf(dataset)
    const file = { path: place, name: place, size: 0, modified: 0 }
    const { columns, ...kept } = await withSession(context, fullName(dataset), async (session) => {
      const target = {
        session,
        location: context.storage.locate(data),
        batch,
        wanted: wantedTypes(context.lake.datasets, dataset),
        large: true,
        ofOthers: true,
        signal: context.signal,
      }
      return takeRecords(file, source, read.rows(), target)
    })
    return { read, columns, kept }
  }

  private async setAside(done: Intake, piece: Piece, error: unknown): Promise<Intake> {
    const { context, dataset, known, group } = this
    // Its checksum says so; of all else nobody can be sure.
    const others = async () => isDamaged(error) || this.isAnyOtherReadable(piece)
    if (!(await isAtFault(context, dataset, done.state, error, others))) throw error
    const { reached: _, ...before } = (done.state.watermarks[fullName(dataset)] ?? {}) as Reached
    const { bytes, requests } = await unreadPiece(group.landing, context, piece)
    const own = requests.filter((request) => hasOwnKey(request) || piece.part)
    const keys = own.map(({ key }) => key)
    const hashes = own.map(({ rows }) => hashOfRows(rows))
    const sent: Sent = { landed: finished([piece]), keys, hashes }
    const result = await setAside(context, done, dataset, {
      name: placeOf(dataset),
      kind: 'request',
      ...(requests.length > 0
        ? { rows: requests.reduce((sum, { rows }) => sum + rows.length, 0) }
        : {}),
      size: bytes.length,
      modified: Number.parseInt(piece.path.split('/').at(-1) ?? '', 10) || 0,
      keep: async ({ folder }) => {
        const path = `${folder}/raw/request.jsonl`
        await context.storage.write(path, bytes)
        return { path, bytes: bytes.length, sha256: sha256(bytes) }
      },
      error,
      source: sent,
      watermark: { ...before, landed: piece.path, ...reachedBy(piece) },
    })
    for (const [i, key] of keys.entries())
      known.requests.set(key, { hash: hashes[i] as string, at: context.started.getTime() })
    return result
  }

  /** Whether something of the same group can be read: if nothing can, no object is at fault. */
  private async isAnyOtherReadable(piece: Piece): Promise<boolean> {
    if (this.isAnyRead) return true
    const { from = 0, to = 0, of = 0 } = piece.part ?? {}
    const beside = Array.from({ length: of }, (_, i) => i)
      .filter((i) => i < from || i >= to)
      .map((i) => ({ path: piece.path, part: { from: i, to: i + 1, of } }))
    const others = this.pieces.filter(({ path }) => path !== piece.path)
    const all = [...beside, ...others]
    const step = Math.max(1, Math.floor(all.length / TRIED))
    for (const other of all.filter((_, i) => i % step === 0).slice(0, TRIED))
      if (await this.canRead(other)) return true
    return false
  }

  private async canRead(piece: Piece): Promise<boolean> {
    const { storage, run } = this.context
    const data = `bronze/${this.dataset.name}/probe/${run}.parquet`
    try {
      await storage.prepare(data)
      await this.read([piece], '', data)
      return true
    } catch {
      return false
    } finally {
      await storage.remove(data).catch(() => {})
    }
  }
}

const nameOf = ({ path, part }: Piece): string => (part ? `${path}#${part.from}-${part.to}` : path)

const placeOf = ({ name }: Bronze): string => `POST /ingest/${name}`

/** The objects of which nothing is left to read behind these pieces. */
function finished(pieces: readonly Piece[]): string[] {
  return pieces.filter(({ part }) => !part || part.to === part.of).map(({ path }) => path)
}

/** The requests of an object; nothing of one that is damaged: a storage that fails says nothing of it. */
async function unlessDamaged(landing: Landing, path: string): Promise<Landed[] | undefined> {
  return landing.read(path).catch((error) => {
    if (isDamaged(error)) return undefined
    throw error
  })
}

/** A piece as an object of its own, and its requests, where these can be told. */
async function unreadPiece(landing: Landing, { storage }: RunContext, { path, part }: Piece) {
  const requests = await unlessDamaged(landing, path)
  if (!requests) return { bytes: await storage.read(path), requests: [] }
  const own = part ? requests.slice(part.from, part.to) : requests
  return { bytes: encodeLanded(own), requests: own }
}

/**
 * Reads a request that was in quarantine.
 *
 * @throws what keeps it from being read.
 */
export async function readRequest(
  context: RunContext,
  dataset: Bronze,
  source: IngestSource,
  object: QuarantinedObject,
  { batch, folder }: NewBatch,
): Promise<ReadAgain> {
  const data = `${folder}/00001.parquet`
  await context.storage.prepare(data)
  const landing = new Landing(context.storage, dataset.name)
  const { path } = object.original
  const group = { landing, group: [], batches: new Batches(context.storage) }
  const nothing = { requests: new Map(), landed: new Set<string>() }
  const reader = new LandedIntake(context, dataset, source, group, nothing)
  const { read, columns, kept } = await reader.read([{ path }], batch, data)
  const { bytes, content } = read
  const { name, modified } = object
  const about = { name: `${name}#${batch}`, size: bytes, modified }
  const file = { ...about, sha256: content.digest('hex'), data, ...kept }
  return { files: [file], columns, notes: [] }
}

/** The rows of landed objects, each request once. */
class GroupReader {
  readonly content = createHash('sha256')
  readonly keys: string[] = []
  readonly hashes: string[] = []
  bytes = 0
  private again = 0
  private others = 0

  constructor(
    private readonly landing: Landing,
    private readonly pieces: readonly Piece[],
    private readonly known: ReadonlyMap<string, SentRequest>,
  ) {}

  get notes(): string[] {
    const { again, others } = this
    const mended = this.pieces.filter(({ path }) => this.landing.mended.has(path))
    return [
      ...mended.map(
        ({ path }) => `a bit of ${path} had flipped: its SHA-256 proves which, and it was undone`,
      ),
      ...(again > 0 ? [`${again} rows came again, and are there once`] : []),
      ...(others > 0 ? [`${others} rows came under a key of other rows, and are there too`] : []),
    ]
  }

  async *rows(): AsyncGenerator<JsonRecord[]> {
    const own = new Map<string, SentRequest>()
    let line = 0
    for (const { path, part } of this.pieces) {
      const all = (await this.landing.read(path)) ?? gone(path)
      for (const request of part ? all.slice(part.from, part.to) : all) {
        const { key, rows } = request
        const before = own.get(key) ?? this.known.get(key)
        if (before && sameRequest(before, rows)) {
          this.again += rows.length
          continue
        }
        // It was accepted, by a server that did not know the other one: nothing of it may be lost.
        if (before) this.others += rows.length
        const hash = hashOfRows(rows)
        if (!before) own.set(key, { hash, at: 0 })
        // Of an object that is read in pieces, all keys: a run that was killed between them is known by these.
        if ((hasOwnKey(request) || part) && !before) {
          this.keys.push(key)
          this.hashes.push(hash)
        }
        for (const row of rows) {
          this.content.update(row).update('\n')
          this.bytes += row.length
        }
        yield rows.map((row) => ({ line: ++line, ...exactNumbers(row) }))
      }
    }
  }
}

/** Who removes landed objects has committed them: what this run knows of the lake is not true any more. */
function gone(path: string): never {
  throw new MoraineError('conflict', `${path} was ingested by another run meanwhile`, {
    retryable: true,
    hint: 'Nothing of this one was published; run it again.',
  })
}
