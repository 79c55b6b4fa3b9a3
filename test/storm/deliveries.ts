import { mkdir, rename, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Storage } from '../../src/storage/storage.js'
import type { Delivery, Model, Row, Source } from './model.js'

/** Keys of items and of readings; few, so that rows meet. */
const KEYS = 25
const itemColumns = ['tag', 'id', 'version', 'day', 'amount', 'code', 'op']
const readingColumns = ['tag', 'id', 'version', 'at', 'amount']
const valuesOf = ({ tag, id, version, day, amount, code, op }: Row) =>
  [tag, id, version, day, amount, code, op] as const

/** The folder of this machine that a lake lies in, if it does. */
export function folderOf(storage: Storage): string | undefined {
  const { url } = storage
  return url.startsWith('file://') ? url.slice('file://'.length) : undefined
}

/**
 * Whoever has rows for the lake: programs that drop files and send requests, a folder of files, an
 * API.
 */
export class Deliveries {
  private last = 0
  private files = 0
  /** Rows that are held back, and come late. */
  private readonly late: Row[] = []
  private readonly offered: Row[] = []
  private server: Server | undefined
  api = ''

  constructor(
    private readonly model: Model,
    private readonly chance: () => number,
    private readonly storage: Storage,
    /** The project's folder, in which `in/` is. */
    private readonly folder: string,
  ) {}

  private below(n: number): number {
    return Math.floor(this.chance() * n)
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  /** Starts the API, which gives all rows that it has from a version on. */
  async start(): Promise<void> {
    this.server = createServer((request, response) => {
      const since = BigInt(new URL(request.url ?? '', this.api).searchParams.get('since') ?? 0)
      const rows = this.offered.filter(({ version }) => BigInt(version) >= since)
      response.setHeader('content-type', 'application/json')
      response.end(`[${rows.map((row) => this.json(row, 'asked')).join(',\n')}]`)
    })
    await new Promise<void>((done) => this.server?.listen(0, '127.0.0.1', done))
    this.api = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  close(): void {
    this.server?.closeAllConnections()
    this.server?.close()
  }

  private json(row: Row, source: Source): string {
    const [tag, id, version, day, amount, code, op] = valuesOf(row)
    const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : text)
    const common = { tag, id: number(id), version: number(version) }
    if (source === 'asked') return JSON.stringify({ ...common, at: day, amount: number(amount) })
    return JSON.stringify({ ...common, day, amount: number(amount), code, ...(op ? { op } : {}) })
  }

  private item(): Row {
    const version = String(++this.last)
    const row: Row = {
      tag: `t${version}t`,
      id: String(this.below(KEYS)),
      version,
      day: `2026-0${1 + this.below(4)}-0${1 + this.below(5)}`,
      amount: String(this.below(700)),
      code: this.pick(['aba', 'xx', 'ñañ', 'q']),
      op: this.chance() < 0.12 ? 'D' : '',
      torn: false,
    }
    if (this.chance() > 0.2) return row
    return {
      ...row,
      ...this.pick<Partial<Row>>([
        { amount: '-3' },
        { amount: '1.5' },
        { day: '2026-02-30' },
        { code: 'ab' },
        { id: 'x' },
        { version: 'new' },
        { torn: true },
      ]),
    }
  }

  private reading(source: Source): Row {
    const version = String(++this.last)
    const key = this.below(KEYS)
    // All versions of a key are of one time; one in five is older than rows are kept.
    const age = key % 5 === 0 ? 900 : 100 + key
    const time = new Date(Date.now() - age * 86_400_000)
    const row: Row = {
      tag: `t${version}t`,
      id: String(key),
      version,
      day: `${time.toISOString().slice(0, 10)} 0${key % 10}:00:00`,
      amount: String(this.below(700)),
      code: '',
      op: '',
      torn: false,
    }
    if (this.chance() > 0.15) return row
    const torn = source === 'listed' ? [{ torn: true }] : []
    return { ...row, ...this.pick<Partial<Row>>([{ amount: 'many' }, { id: '1.5' }, ...torn]) }
  }

  /** New rows, of which some are kept for later, and some from earlier. */
  private rows(make: () => Row): Row[] {
    const rows = Array.from({ length: 1 + this.below(8) }, make)
    // A file of which no line can be split would be discarded as a whole.
    return rows.map((row, i) => (i === 0 ? { ...row, torn: false } : row))
  }

  private items(): Row[] {
    const rows = this.rows(() => this.item())
    if (this.chance() < 0.2) this.late.push(...rows.splice(0, 2))
    if (this.chance() < 0.2) rows.push(...this.late.splice(0, 5))
    return rows.some(({ torn }) => !torn) ? rows : [{ ...this.item(), torn: false }, ...rows]
  }

  private csv(rows: readonly Row[], source: Source): string {
    const columns = source === 'listed' ? readingColumns : itemColumns
    const lines = rows.map((row) => {
      const values = valuesOf(row).slice(0, columns.length)
      return (row.torn ? values.slice(0, 3) : values).join(',')
    })
    return `${[columns.join(','), ...lines].join('\n')}\n`
  }

  private jsonl(rows: readonly Row[]): string {
    const lines = rows.map((row) =>
      row.torn ? this.json(row, 'sent').slice(0, 25) : this.json(row, 'sent'),
    )
    return `${lines.join('\n')}\n`
  }

  /** A new file for the inbox. */
  async drop(): Promise<Delivery> {
    const rows = this.items()
    const csv = this.chance() < 0.6
    const name = `f${++this.files}.${csv ? 'csv' : 'jsonl'}`
    const body = csv ? this.csv(rows, 'dropped') : this.jsonl(rows)
    return this.dropAs({ source: 'dropped', name, body, rows, where: 'waiting' })
  }

  private async dropAs(delivery: Omit<Delivery, 'number'>): Promise<Delivery> {
    await this.lay(delivery.name, delivery.body)
    return this.model.add(delivery)
  }

  private async lay(name: string, body: string): Promise<void> {
    const landing = 'bronze/landing/dropped'
    const folder = folderOf(this.storage)
    if (folder === undefined) {
      await this.storage.write(`${landing}/${name}`, new TextEncoder().encode(body))
      return
    }
    await mkdir(join(folder, landing), { recursive: true })
    await writeFile(join(folder, landing, `.${name}`), body)
    await rename(join(folder, landing, `.${name}`), join(folder, landing, name))
  }

  /**
   * A file that came before, once more: under another name its rows come twice, under its own it is
   * known.
   */
  async dropAgain(): Promise<void> {
    const before = this.model.deliveries.filter(({ source, where }) => {
      return source === 'dropped' && where !== 'waiting'
    })
    if (before.length === 0) return
    const { name, body, rows } = this.pick(before)
    const sameName = folderOf(this.storage) !== undefined && this.chance() < 0.6
    if (!sameName) {
      const other = `f${++this.files}${/\.[a-z]+$/.exec(name)?.[0]}`
      await this.dropAs({ source: 'dropped', name: other, body, rows, where: 'waiting' })
      return
    }
    await this.lay(name, body)
    // What was undone is not known any more, unless it came again since.
    const known = this.model.deliveries.some(
      (one) => one.source === 'dropped' && one.name === name && one.where !== 'undone',
    )
    if (!known) this.model.add({ source: 'dropped', name, body, rows, where: 'waiting' })
  }

  /** A new file in the folder that is read as it lies. */
  async list(): Promise<void> {
    const rows = this.rows(() => this.reading('listed'))
    const name = `r${++this.files}.csv`
    const body = this.csv(rows, 'listed')
    await mkdir(join(this.folder, 'in'), { recursive: true })
    await writeFile(join(this.folder, `.${name}`), body)
    await rename(join(this.folder, `.${name}`), join(this.folder, 'in', name))
    this.model.add({ source: 'listed', name, body, rows, where: 'waiting' })
  }

  /** New rows of the API. */
  offer(): void {
    const rows = this.rows(() => this.reading('asked'))
    this.offered.push(...rows)
    this.model.add({ source: 'asked', name: 'api', body: '', rows, where: 'waiting' })
  }

  /** Sends a request, or one again whose answer was lost or that was accepted before. */
  async send(url: string): Promise<void> {
    const again = this.model.deliveries.filter(
      ({ source, where }) => source === 'sent' && (where === 'unknown' || where === 'in'),
    )
    if (again.length > 0 && this.chance() < 0.3) {
      const unknown = again.filter(({ where }) => where === 'unknown')
      await this.post(url, this.pick(unknown.length > 0 ? unknown : again))
      return
    }
    const rows = this.items().filter(({ torn }) => !torn)
    if (rows.length === 0) return
    const body = this.jsonl(rows)
    const name = `request-${++this.files}`
    await this.post(url, this.model.add({ source: 'sent', name, body, rows, where: 'unknown' }))
  }

  private async post(url: string, delivery: Delivery): Promise<void> {
    const headers = { 'idempotency-key': delivery.name, 'content-type': 'application/x-ndjson' }
    const options = { method: 'POST', headers, body: delivery.body }
    const answer = await fetch(`${url}/ingest/sent`, options).catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    if (!answer || text === undefined) return
    if (answer.status === 503) return
    if (answer.status !== 200)
      throw new Error(`a good request is refused: ${answer.status} ${text}`)
    const known = delivery.where === 'in'
    if (known && !JSON.parse(text).duplicate)
      throw new Error(`${delivery.name} is taken a second time: ${text}`)
    if (!known) delivery.where = 'waiting'
  }
}
