import type { DuckDBBlobValue, DuckDBDoubleVector } from '@duckdb/node-api'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type {
  MaterializeOptions,
  ParameterValues,
  QueryParameter,
  Relation,
  Result,
  ResultColumn,
  ResultRow,
  Session,
} from '../engine.js'
import type { PlanStep } from '../plan-step.js'
import { duckdbDialect } from './dialect/dialect.js'
import { BIGINT, DuckDBDataChunk, VARCHAR } from './driver.js'
import { DuckDBExports } from './export/export.js'
import { DuckDBFiles } from './files/files.js'
import type { Life } from './lives.js'
import { DuckDBParser } from './parser.js'
import { bindable, columnsOf, parametersOf } from './prepared.js'
import { planSteps } from './query-plan.js'
import { batchesOf, resultColumns, textOf } from './results.js'
import { type Shared, Statements, type Upkeep } from './statements.js'
import { Streamed } from './streamed.js'
import { DuckDBTables } from './tables/tables.js'

/** Rows that the engine handles at a time. */
const CHUNK = 2048

export class DuckDBSession implements Session {
  readonly tables: DuckDBTables
  readonly files: DuckDBFiles
  readonly parser: DuckDBParser
  readonly exports: DuckDBExports
  readonly dialect = duckdbDialect
  private readonly statements: Statements
  private relations = 0
  /** Materialized relations that are asked for again, by their queries. */
  private readonly kept = new Map<string, Relation>()

  constructor(life: Life, upkeep: Upkeep, shared: Shared) {
    this.statements = new Statements(life, upkeep, shared)
    this.tables = new DuckDBTables(this.statements)
    this.files = new DuckDBFiles(this.statements)
    this.parser = new DuckDBParser(this.statements)
    this.exports = new DuckDBExports(this.statements)
  }

  get instance(): number {
    return this.statements.instance
  }

  goOn(life: Life): void {
    this.statements.goOn(life)
    this.kept.clear()
  }

  run(sql: string): Promise<void> {
    return this.statements.run(sql)
  }

  rows(sql: string): Promise<ResultRow[]> {
    return this.statements.rows(sql)
  }

  async materialize(
    sql: string,
    { quicklyPlanned = false, again = false }: MaterializeOptions = {},
  ): Promise<Relation> {
    const known = again ? this.kept.get(sql) : undefined
    if (known) return known
    const relation = this.nextRelation()
    const make = () => this.run(`CREATE TEMP TABLE ${relation.sql} AS ${sql}`)
    await (quicklyPlanned ? this.planQuickly(make) : make())
    if (again) this.kept.set(sql, relation)
    return relation
  }

  async view(sql: string): Promise<Relation> {
    const relation = this.nextRelation()
    await this.run(`CREATE TEMP VIEW ${relation.sql} AS ${sql}`)
    return relation
  }

  async insert({ sql: into }: Relation, sql: string): Promise<void> {
    await this.run(`INSERT INTO ${into} BY NAME SELECT * FROM (${sql})`)
  }

  async drop(relations: readonly Relation[]): Promise<void> {
    for (const { sql } of relations) await this.run(`DROP TABLE ${sql}`)
  }

  private nextRelation(): Relation {
    return { sql: `_relation_${++this.relations}` }
  }

  private async planQuickly(plan: () => Promise<void>): Promise<void> {
    const { connection, shared } = this.statements
    const { quick } = shared
    // It is a setting of all sessions: statements of others are planned like this one meanwhile.
    const turnOff = (names: readonly string[]) =>
      connection.run(
        `SET disabled_optimizers = ${quoteText(names.filter((name) => name !== '').join(','))}`,
      )
    if (quick.statements++ === 0) await turnOff([quick.otherwise, 'common_subexpressions'])
    try {
      await plan()
    } finally {
      if (--quick.statements === 0) await turnOff([quick.otherwise])
    }
  }

  async stream(sql: string, parameters?: ParameterValues): Promise<Result> {
    const { connection } = this.statements
    const { values, types } = bindable(parameters)
    const streamed = await this.statements.try(sql, (text) =>
      Streamed.open(connection, text, (statement) => {
        if (values) statement.bind(values, types)
      }),
    )
    const { result } = streamed
    const names = result.deduplicatedColumnNames()
    const attempt = <T>(use: () => Promise<T>) => this.statements.try(sql, use)
    return { columns: resultColumns(result, names), batches: batchesOf(attempt, streamed, names) }
  }

  async planOf(sql: string, parameters?: ParameterValues): Promise<PlanStep> {
    // What is wrong with it is told of the query as it is written.
    await this.prepared(sql)
    const { batches } = await this.stream(`EXPLAIN (FORMAT JSON)\n${sql}`, parameters)
    const rows: ResultRow[] = []
    for await (const batch of batches) rows.push(...batch)
    return planSteps(String(rows[0]?.explain_value))
  }

  async numbers(sql: string, take: (value: number) => boolean): Promise<void> {
    await this.statements.try(sql, async (text) => {
      const streamed = await Streamed.open(this.statements.connection, text)
      for (let chunk = await streamed.next(); chunk; chunk = await streamed.next()) {
        const column = chunk.getColumnVector(0) as DuckDBDoubleVector
        for (let row = 0; row < column.itemCount; row++)
          if (!take(column.getItem(row) as number)) return
      }
    })
  }

  async texts(sql: string): Promise<(string | null)[][]> {
    // As bytes: the driver would drop a byte order mark at the start of a text.
    const encoded = `SELECT encode(COLUMNS(*)) FROM (${sql})`
    const reader = await this.statements.try(encoded, (text) =>
      this.statements.connection.runAndReadAll(text),
    )
    const columns = reader.getColumns() as (DuckDBBlobValue | null)[][]
    return columns.map((column) => column.map(textOf))
  }

  async append(
    { sql: table }: Relation,
    first: number,
    columns: readonly (readonly (string | null)[])[],
  ): Promise<void> {
    const types = [BIGINT, ...columns.map(() => VARCHAR)]
    const rows = columns[0]?.length ?? 0
    const appender = await this.statements.connection.createAppender(table, 'main', 'temp')
    for (let start = 0; start < rows; start += CHUNK) {
      const count = Math.min(CHUNK, rows - start)
      const chunk = DuckDBDataChunk.create(types, count)
      const numbers = Array.from({ length: count }, (_, i) => BigInt(first + start + i))
      chunk.setColumns([numbers, ...columns.map((column) => column.slice(start, start + count))])
      appender.appendDataChunk(chunk)
    }
    appender.closeSync()
  }

  async describe(sql: string): Promise<ResultColumn[]> {
    return (await this.prepared(sql)).columns
  }

  async prepared(sql: string): Promise<{ columns: ResultColumn[]; parameters: QueryParameter[] }> {
    // The optimizer would compute what is constant, and nobody asked for values: that may take any
    // time.
    await this.statements.connection.run('PRAGMA disable_optimizer')
    const statement = await this.statements
      .try(sql, (text) => this.statements.connection.prepare(text))
      .finally(() => this.statements.connection.run('PRAGMA enable_optimizer'))
    try {
      return { columns: columnsOf(statement), parameters: parametersOf(statement) }
    } finally {
      statement.destroySync()
    }
  }

  async define(tier: string, name: string, relation: string): Promise<void> {
    await this.statements.once(`schema ${tier}`, () =>
      this.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(tier)}`),
    )
    await this.run(`CREATE OR REPLACE VIEW ${quoteName(tier)}.${quoteName(name)} AS ${relation}`)
  }

  async undefine(tier: string, name: string): Promise<void> {
    await this.run(`DROP VIEW IF EXISTS ${quoteName(tier)}.${quoteName(name)}`)
  }

  async defineHere(name: string, relation: string): Promise<void> {
    await this.run(`CREATE OR REPLACE TEMP VIEW ${quoteName(name)} AS ${relation}`)
  }

  async undefineHere(name: string): Promise<void> {
    await this.run(`DROP VIEW IF EXISTS temp.${quoteName(name)}`)
  }

  progress(): number {
    return Math.max(0, this.statements.connection.progress.percentage)
  }

  interrupt(): void {
    this.statements.connection.interrupt()
  }

  close(): void {
    this.statements.connection.closeSync()
  }
}
