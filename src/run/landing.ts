import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import type { Storage, StoredObject } from '../storage/storage.js'

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

/** Requests as one object: a line that says which there are, and their rows. */
export function encodeLanded(requests: readonly Landed[]): Uint8Array {
  const header = {
    format: 1,
    requests: requests.map(({ key, rows, generated }) => ({
      key,
      rows: rows.length,
      ...(generated ? { generated } : {}),
    })),
  }
  const lines = [JSON.stringify(header), ...requests.flatMap(({ rows }) => rows)]
  return new TextEncoder().encode(`${lines.join('\n')}\n`)
}

/**
 * Rows that have arrived for a dataset and are in no batch yet. Each object holds whole requests, and is there or not: what was
 * written is durable, and nobody ever sees a part of it.
 */
export class Landing {
  private readonly prefix: string
  private count = 0

  constructor(
    private readonly storage: Storage,
    dataset: string,
  ) {
    this.prefix = `${landingOf({ name: dataset })}/`
  }

  /** Resolves when the requests are durable. */
  async write(requests: readonly Landed[]): Promise<void> {
    // By time, then by order: names sort as requests came.
    const number = String(this.count++ % 1e6).padStart(6, '0')
    const name = `${String(Date.now()).padStart(15, '0')}-${number}-${randomBytes(4).toString('hex')}.jsonl`
    await this.storage.write(`${this.prefix}${name}`, encodeLanded(requests))
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

  /** The requests of an object; `undefined` when it is gone, as a run has ingested it since it was listed. */
  async read(path: string): Promise<Landed[] | undefined> {
    const bytes = await this.storage.readIfPresent(path)
    if (!bytes) return undefined
    const text = new TextDecoder().decode(bytes)
    const end = text.indexOf('\n')
    const lines = text.slice(end + 1).split('\n')
    const { format, requests } = headerOf(path, text.slice(0, end))
    if (format !== 1)
      throw new MoraineError('corrupt', `${path} was written by a newer Moraine`, {
        hint: 'Update Moraine, and run again.',
      })
    let at = 0
    return requests.map(({ key, rows, generated }) => {
      at += rows
      return { key, rows: lines.slice(at - rows, at), ...(generated ? { generated } : {}) }
    })
  }
}

/** Shown of them, at most. */
const STRAYS = 5

/** What is said of what lies in a landing folder and was written by no server. */
export function strayNotes(dataset: { name: string }, strays: readonly string[]): string[] {
  if (strays.length === 0) return []
  const more = strays.length > STRAYS ? ` and ${strays.length - STRAYS} more` : ''
  const names = strays.slice(0, STRAYS).join(', ')
  return [`${landingOf(dataset)} holds what no server wrote, and it is left there: ${names}${more}`]
}

interface Header {
  format: number
  requests: { key: string; rows: number; generated?: true }[]
}

function headerOf(path: string, line: string): Header {
  try {
    return JSON.parse(line) as Header
  } catch (cause) {
    throw new MoraineError('source', `${path} is damaged: it does not begin with its requests`, {
      cause,
    })
  }
}
