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

  list(): Promise<StoredObject[]> {
    return this.storage.list(this.prefix)
  }

  async read(path: string): Promise<Landed[]> {
    const text = new TextDecoder().decode(await this.storage.read(path))
    const end = text.indexOf('\n')
    const lines = text.slice(end + 1).split('\n')
    const { format, requests } = JSON.parse(text.slice(0, end)) as {
      format: number
      requests: { key: string; rows: number; generated?: true }[]
    }
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
