import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseJson } from '../../../src/iceberg/json.js'
import type { TargetName } from '../../../src/sql/bound/target.js'
import { Trino } from '../../support/trino.js'

/** What a query gave: the engine's types, and values as texts that say the same on all engines. */
export interface Answer {
  types: string[]
  rows: (string | null)[][]
}

/** An engine that answers queries of the cases. */
export interface Answering {
  answer(sql: string): Promise<Answer>
  stop(): Promise<void>
}

/** Times come with all of their digits. */
const PRECISE = { 'x-trino-client-capabilities': 'PARAMETRIC_DATETIME' }

/** A value as all engines' answers have it. */
export function plainValue(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value.replace(/ UTC$/, '')
  return Object.is(value, -0) ? '-0' : String(value)
}

/** A double, however an engine writes it. */
export function plainDouble(text: string | null): string | null {
  if (text === null) return null
  const named = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }[text.toLowerCase()]
  const value = Number(named ?? text)
  return Object.is(value, -0) ? '-0' : String(value)
}

/** A decimal without zeros that only its type gives it; the type is compared by itself. */
export function plainDecimal(text: string | null): string | null {
  if (text === null) return null
  const value = text.replace(/^(-?)\./, '$10.')
  return value.includes('.') ? value.replace(/\.?0+$/, '').replace(/^-0$/, '0') : value
}

export class TrinoAnswers implements Answering {
  constructor(private readonly trino: Trino) {}

  async answer(sql: string): Promise<Answer> {
    const { columns, rows } = await this.trino.run(sql, PRECISE)
    return {
      types: columns.map(({ type }) => type.replace(', ', ',')),
      rows: rows.map((row) => row.map(plainValue)),
    }
  }

  stop(): Promise<void> {
    return this.trino.stop()
  }
}

export class SparkAnswers implements Answering {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  /** @param catalogs lakes that it reads, by the names of its catalogs. */
  static async start(
    python: string,
    catalogs?: { jar: string; token: string; urls: Readonly<Record<string, string>> },
  ): Promise<SparkAnswers> {
    const script = join(import.meta.dirname, 'rows_spark.py')
    const child = spawn(python, [script, ...(catalogs ? [JSON.stringify(catalogs)] : [])], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, TZ: 'UTC', PATH: `${dirname(python)}:${process.env.PATH}` },
    })
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
      Symbol.asyncIterator
    ]()
    const spark = new SparkAnswers(child, lines)
    while ((await spark.next()) !== 'ready');
    return spark
  }

  async answer(sql: string): Promise<Answer> {
    this.child.stdin?.write(`${JSON.stringify(sql)}\n`)
    const { error, types, rows } = parseJson(await this.next()) as Answer & { error?: string }
    if (error) throw new Error(error)
    return { types, rows: rows.map((row) => row.map(plainValue)) }
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.child.once('exit', done))
    this.child.stdin?.end()
    await gone
  }

  private async next(): Promise<string> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error('Spark ended')
    return value
  }
}

export function startAnswering(target: TargetName): Promise<Answering> {
  return target === 'trino'
    ? Trino.start({}).then((trino) => new TrinoAnswers(trino))
    : SparkAnswers.start(process.env.MORAINE_PYTHON as string)
}
