import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A record by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>

/** An engine that knows nothing of Moraine, and finds lakes by their catalogs. */
export interface Engine {
  /**
   * Runs a statement.
   *
   * @returns its rows, as lists of plain values.
   * @throws Error with the engine's own message.
   */
  run(statement: string): Promise<unknown[][]>
  /**
   * The rows of a table, by its full name, such as `lake.silver.orders`.
   *
   * @param where `a <= 1`, of rows that are to be read alone.
   */
  read(table: string, where?: string): Promise<Row[]>
  stop(): Promise<void>
}

/** A lake as engines reach it. */
export interface LakeAddress {
  /** Of the catalog. */
  url: string
  token: string
  /** A table of it, for what shows how a table is read. */
  example: string
  /** The S3 server of a lake in a bucket. */
  endpoint?: string
  /** Whether engines use their own keys of the bucket, rather than credentials of the catalog. */
  withKeys?: boolean
}

/**
 * The environment of an engine, which has no keys of buckets but those that it was configured with.
 */
export function withoutKeys(): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/^(AWS|MINIO)_/.test(name))
  return { ...Object.fromEntries(clean), AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' }
}

/** A program that answers each line of JSON with another. */
export class Lines {
  private readonly answers: AsyncIterator<string>
  private last: Promise<unknown> = Promise.resolve()
  private complaints = ''

  constructor(private readonly child: ChildProcess) {
    child.stderr?.on('data', (chunk) => {
      this.complaints = (this.complaints + chunk).slice(-4000)
    })
    this.answers = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]()
  }

  /** What it says next, as once it is ready. */
  async next<T>(): Promise<T> {
    const { value, done } = await this.answers.next()
    if (done) throw new Error(`It ended:\n${this.complaints}`)
    const answer = JSON.parse(value)
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  ask<T>(question: object): Promise<T> {
    const answer = this.last.then(() => {
      this.child.stdin?.write(`${JSON.stringify(question)}\n`)
      return this.next<T>()
    })
    this.last = answer.catch(() => {})
    return answer
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = new Promise((done) => this.child.once('exit', done))
    this.child.kill('SIGKILL')
    await gone
  }
}

export const selected = (table: string, where?: string) =>
  `select * from ${table}${where === undefined ? '' : ` where ${where}`}`

/** Rows as records by the names of their columns. */
export const records = (columns: readonly string[], rows: readonly unknown[][]): Row[] =>
  rows.map((row) => Object.fromEntries(row.map((value, i) => [columns[i] as string, value])))

/** Texts of moments are written in several ways. */
const moment = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?( UTC|\+00|Z)?$/

/** A value as others write it, too. */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'string' || value.length < 19 || value.length > 32) return value
  const [, day, time, fraction = '', zone] = moment.exec(value) ?? []
  return day ? `${day}T${time}.${fraction.padEnd(6, '0')}${zone ? 'Z' : ''}` : value
}

/** Rows as texts in order. */
const texts = (columns: readonly string[], rows: readonly Row[]) =>
  rows.map((row) => JSON.stringify(columns.map((name) => canonical(row[name])))).sort()

/** The first rows that only one of two lists has, or has more often. */
export function differences(ours: readonly Row[], theirs: readonly Row[]): string[] {
  const columns = [...new Set([ours, theirs].flatMap(([row = {}]) => Object.keys(row)))]
  const [mine, others] = [texts(columns, ours), texts(columns, theirs)]
  const found: string[] = []
  for (let i = 0, j = 0; (i < mine.length || j < others.length) && found.length < 6; ) {
    const [a, b] = [mine[i], others[j]]
    if (a !== b) found.push(b === undefined || (a !== undefined && a < b) ? `- ${a}` : `+ ${b}`)
    if (b === undefined || (a !== undefined && a <= b)) i++
    if (a === undefined || (b !== undefined && b <= a)) j++
  }
  return found
}
