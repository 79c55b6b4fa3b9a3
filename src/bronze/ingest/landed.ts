import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { IngestSource } from '../../define/source.js'
import { ingestRecords } from '../../source/formats/ingest-json.js'
import { type Batches, type BatchFile, sealFiles } from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { requestedTypes } from '../../step/requested-types.js'
import { sha256 } from '../../storage/checksum.js'
import type { StoredObject } from '../../storage/storage.js'
import { commitRows, newBatch } from '../batch-commit.js'
import type { Ingestion } from '../ingestion.js'
import type { Intake } from '../offer.js'
import { isAtFault, mayBeItsBytes } from '../quarantine/blame.js'
import {
  groupsBySuspicion,
  ProcessEnded,
  type Suspects,
  whileReading,
} from '../quarantine/reading.js'
import { setAside } from '../quarantine/set-aside.js'
import { isDamaged, type Landing } from './landing.js'
import {
  finished,
  GroupReader,
  nameOf,
  type Piece,
  placeOf,
  type Reached,
  reachedBy,
  unlessDamaged,
  unreadPiece,
} from './pieces.js'
import { hashOfRows, hasOwnKey, indexKeys, type RecentlySent, type Sent } from './sent-requests.js'

/** Landed objects that become one batch, unless one of them can't be read. */
interface Group {
  landing: Landing
  group: readonly StoredObject[]
  batches: Batches
}

/** Pieces that are tried to find out whether anything can be read. */
const TRIED = 5

/**
 * Reads landed objects: together, and where that fails, in halves, until what can't be read is
 * alone.
 */
export class LandedIngest {
  private readonly pieces: readonly Piece[]
  private isAnyRead = false

  private readonly context: RunContext
  private readonly dataset: Bronze
  private readonly source: IngestSource

  constructor(
    { context, dataset, source }: Ingestion<IngestSource>,
    private readonly group: Group,
    private readonly known: RecentlySent,
    reached?: Reached['reached'],
  ) {
    this.context = context
    this.dataset = dataset
    this.source = source
    this.pieces = group.group.map(({ path }) => {
      if (path !== reached?.path) return { path }
      const { to: from, of } = reached
      return { path, part: { from, to: of, of } }
    })
  }

  async ingest(before: Intake, suspects: Suspects): Promise<Intake> {
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
    const file: BatchFile = {
      name: `${place}#${batch.number}`,
      size: bytes,
      modified,
      sha256: content.digest('hex'),
      data,
      ...kept,
    }
    const files = await sealFiles(context.storage, [file])
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
        requested: requestedTypes(context.lake.datasets, dataset),
        large: true,
        ofOthers: true,
        signal: context.signal,
      }
      return ingestRecords(file, source, read.rows(), target)
    })
    return { read, columns, kept }
  }

  private async setAside(done: Intake, piece: Piece, error: unknown): Promise<Intake> {
    const { context, dataset, known, group } = this
    // Its checksum says so; of all else nobody can be sure.
    const others = async () => isDamaged(error) || this.isAnyOtherReadable(piece)
    if (!(await isAtFault({ context, dataset }, done.state, error, others))) throw error
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
