import { randomBytes } from 'node:crypto'
import { MoraineError } from '../../errors.js'
import { OTHER } from '../../storage/checked.js'
import { encodeSealed, parseSealed, type Sealed, unflipSealed } from '../../storage/sealed.js'
import type { Storage, StoredObject } from '../../storage/storage.js'

/** What one request brought. */
export interface Landed {
  /** By which it is known when it comes again. */
  key: string
  /** The key is the server's own: its sender gave none. */
  generated?: true
  /** JSON objects, each without line ends. */
  rows: readonly string[]
}

/** Names of objects that the server writes. */
const OBJECT = /^\d{15}-\d{6}-[0-9a-f]{8}\.jsonl$/

/** Where the lake's own inbox of a dataset is. */
export const landingOf = (dataset: { name: string }): string => `bronze/landing/${dataset.name}`

/**
 * Requests as one object: a line that says which there are, with the checksum of all of it, and
 * their rows.
 */
export function encodeLanded(requests: readonly Landed[]): Uint8Array {
  const header = {
    format: 2,
    requests: requests.map(({ key, rows, generated }) => ({
      key,
      rows: rows.length,
      ...(generated ? { generated } : {}),
    })),
  }
  return encodeSealed(
    header,
    requests.flatMap(({ rows }) => rows.map((row) => `${row}\n`)).join(''),
  )
}

/**
 * Rows that have arrived for a dataset and are in no batch yet. Each object holds whole requests,
 * and is there or not: what was written is durable, and nobody ever sees a part of it.
 */
export class Landing {
  private readonly prefix: string
  private count = 0
  /** Objects of which one bit had flipped, and was undone. */
  readonly mended = new Set<string>()

  constructor(
    private readonly storage: Storage,
    dataset: string,
  ) {
    this.prefix = `${landingOf({ name: dataset })}/`
  }

  /** Resolves when the requests are durable; returns where they lie. */
  async write(requests: readonly Landed[]): Promise<string> {
    // By time, then by order: names sort as requests came.
    const number = String(this.count++ % 1e6).padStart(6, '0')
    const name = `${String(Date.now()).padStart(15, '0')}-${number}-${randomBytes(4).toString('hex')}.jsonl`
    const path = `${this.prefix}${name}`
    await this.storage.write(path, encodeLanded(requests))
    return path
  }

  async remove(path: string): Promise<void> {
    await this.storage.remove(path)
  }

  /** What has landed, and what else lies there: nobody knows what that is, and it is left alone. */
  async look(): Promise<{ objects: StoredObject[]; strays: string[] }> {
    const [found, folders] = await Promise.all([
      this.storage.entries(this.prefix),
      this.storage.folders(this.prefix),
    ])
    const nameOf = ({ path }: StoredObject) => path.slice(this.prefix.length)
    const others = found.map(nameOf).filter((name) => !OBJECT.test(name))
    return {
      objects: found.filter((object) => OBJECT.test(nameOf(object))),
      strays: [...others, ...folders.map((name) => `${name}/`)],
    }
  }

  async list(): Promise<StoredObject[]> {
    return (await this.look()).objects
  }

  /**
   * The requests of an object; `undefined` when it is gone, as a run has ingested it since it was
   * listed.
   *
   * @throws MoraineError of kind `source` that names it when it is not what was written.
   */
  async read(path: string): Promise<Landed[] | undefined> {
    const found = await this.sealed(path)
    if (!found) return undefined
    const { format, requests } = found.head
    if (found.checked ? format !== 2 : format !== 1)
      throw new MoraineError('corrupt', `${path} was written by a newer version of Moraine`, {
        hint: 'Update Moraine and run again.',
      })
    const lines = new TextDecoder().decode(found.rest).split('\n')
    const total = requests.reduce((sum, { rows }) => sum + rows, 0)
    if (lines.length - 1 !== total)
      throw damaged(path, `it has ${lines.length - 1} rows instead of ${total}`)
    let at = 0
    return requests.map(({ key, rows, generated }) => {
      at += rows
      return { key, rows: lines.slice(at - rows, at), ...(generated ? { generated } : {}) }
    })
  }

  private async sealed(path: string): Promise<Sealed<Header> | undefined> {
    const bytes = await this.storage.readIfPresent(path)
    const found = bytes && parseHeader(bytes)
    if (!bytes || found) return found
    // What flips on the way is right once it is read again.
    const again = await this.storage.readIfPresent(path)
    if (!again) return undefined
    const whole = parseHeader(again)
    if (whole) return whole
    const mended = unflipSealed(again)
    if (!mended) throw damaged(path, OTHER)
    this.mended.add(path)
    return parseHeader(mended)
  }
}

/** Shown of them, at most. */
const STRAYS = 5

/** What is said of what lies in a landing folder and was written by no server. */
export function strayNotes(dataset: { name: string }, strays: readonly string[]): string[] {
  if (strays.length === 0) return []
  const more = strays.length > STRAYS ? ` and ${strays.length - STRAYS} more` : ''
  const names = strays.slice(0, STRAYS).join(', ')
  return [
    `${landingOf(dataset)} contains objects that the server did not write; they are ignored: ${names}${more}`,
  ]
}

interface Header {
  format: number
  requests: { key: string; rows: number; generated?: true }[]
}

function parseHeader(bytes: Uint8Array): Sealed<Header> | undefined {
  const found = parseSealed<Header>(bytes)
  return found && Array.isArray(found.head.requests) ? found : undefined
}

function damaged(path: string, why: string): MoraineError {
  return new MoraineError('source', `${path} is damaged: ${why}`, {
    path,
    hint: 'Its rows are not in any table. Send them again, or restore the object from a backup.',
  })
}

/** Whether an object can be read at all: what says so is of the object, and not of the storage. */
export const isDamaged = (error: unknown): boolean =>
  error instanceof MoraineError && error.kind === 'source' && error.path !== undefined
