import { createHash } from 'node:crypto'
import type { Bronze } from '../../define/model.js'
import { countOf } from '../../define/thousands.js'
import { MoraineError } from '../../errors.js'
import type { JsonRecord } from '../../source/formats/json-records.js'
import { exactNumbers } from '../../source/formats/json-records.js'
import type { RunContext } from '../../step/context.js'
import { encodeLanded, isDamaged, type Landed, type Landing } from './landing.js'
import { hashOfRows, hasOwnKey, type SentRequest, sameRequest } from './sent-requests.js'

/** A landed object, or some of its requests. */
export interface Piece {
  path: string
  /** Its requests from the first to before the last that are meant; all of them without it. */
  part?: { from: number; to: number; of: number }
}

/**
 * How far an object was read that is read in pieces, as the watermark says in the commit of each.
 */
export interface Reached {
  reached?: { path: string; to: number; of: number }
}

export function reachedBy(last: Piece | undefined): Reached {
  const { path = '', part } = last ?? {}
  return part && part.to < part.of ? { reached: { path, to: part.to, of: part.of } } : {}
}

export const nameOf = ({ path, part }: Piece): string =>
  part ? `${path}#${part.from}-${part.to}` : path

export const placeOf = ({ name }: Bronze): string => `POST /ingest/${name}`

/** The objects of which nothing is left to read behind these pieces. */
export function finished(pieces: readonly Piece[]): string[] {
  return pieces.filter(({ part }) => !part || part.to === part.of).map(({ path }) => path)
}

/**
 * The requests of an object; nothing of one that is damaged: a storage that fails says nothing of
 * it.
 */
export async function unlessDamaged(landing: Landing, path: string): Promise<Landed[] | undefined> {
  return landing.read(path).catch((error) => {
    if (isDamaged(error)) return undefined
    throw error
  })
}

/** A piece as an object of its own, and its requests, where these can be told. */
export async function unreadPiece(
  landing: Landing,
  { storage }: RunContext,
  { path, part }: Piece,
) {
  const requests = await unlessDamaged(landing, path)
  if (!requests) return { bytes: await storage.read(path), requests: [] }
  const own = part ? requests.slice(part.from, part.to) : requests
  return { bytes: encodeLanded(own), requests: own }
}

/** The rows of landed objects, each request once. */
export class GroupReader {
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
        ({ path }) =>
          `one bit of ${path} had flipped; its SHA-256 proves which one, and it was corrected`,
      ),
      ...(again > 0
        ? [
            `${countOf(again, 'row')} ${again === 1 ? 'was' : 'were'} sent again and ingested only once`,
          ]
        : []),
      ...(others > 0
        ? [
            `${countOf(others, 'row')} ${others === 1 ? 'was' : 'were'} sent with the key of other rows and ingested as well`,
          ]
        : []),
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
        // Of an object that is read in pieces, all keys: a run that was killed between them is
        // known by these.
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

/**
 * Who removes landed objects has committed them: what this run knows of the lake is not true any
 * more.
 */
function gone(path: string): never {
  throw new MoraineError('conflict', `${path} was ingested by another run in the meantime`, {
    retryable: true,
    hint: 'This run published nothing; run it again.',
  })
}
