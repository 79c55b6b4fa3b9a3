import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { Field } from '../../../src/define/types/column-type.js'
import { sqlType } from '../../../src/define/types/sql-type.js'
import { boundPlan } from '../../../src/engine/duckdb/bound-plan.js'
import type { BoundTable } from '../../../src/engine/engine.js'
import { renderPlan } from '../../../src/sql/bound/render.js'
import { type TargetName, targets } from '../../../src/sql/bound/target.js'
import { type BoundType, NotPortable } from '../../../src/sql/bound/tree.js'
import { storedType } from '../../../src/sql/bound/types.js'
import { type Case, storedAs } from './cases.js'
import { type Answer, type Answering, plainDecimal, plainDouble } from './engines.js'
import { type Draw, hostileValue } from './values.js'

/** Rows of a table, as texts that every engine reads as the same values. */
export interface Table {
  name: string
  fields: readonly Field[]
  rows: readonly (readonly (string | null)[])[]
}

const instance = DuckDBInstance.create(':memory:', { threads: '2' })

/** A value in SQL of an engine. */
function literal(target: TargetName, value: string | null, type: BoundType): string {
  const to = targets[target]
  if (value === null) return `CAST(NULL AS ${to.type(type)})`
  if (type.id === 'timestamptz')
    return target === 'trino'
      ? `CAST(TIMESTAMP '${value} UTC' AS ${to.type(type)})`
      : `TIMESTAMP '${value}+00:00'`
  return to.constant(type.id === 'boolean' ? value === 'true' : value, type)
}

/** A table as a subquery, for engines that have none. */
export function inlined(target: TargetName, { fields, rows }: Table): string {
  const types = fields.map(({ type }) => storedType(type))
  const lines = rows.map(
    (row) => `(${row.map((value, i) => literal(target, value, types[i] as BoundType)).join(', ')})`,
  )
  const names = fields.map(({ name }) => targets[target].quote(name)).join(', ')
  return `(SELECT * FROM (VALUES ${lines.join(', ')}) AS v(${names}))`
}

const duckLiteral = (value: string | null, { type }: Field) =>
  value === null ? 'NULL' : `CAST('${value.replaceAll("'", "''")}' AS ${sqlType(type)})`

export async function withTables<T>(
  tables: readonly Table[],
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const connection = await (await instance).connect()
  try {
    // The optimizer takes casts that come twice out of TRY, which then fail.
    await connection.run(
      "SET TimeZone = 'UTC'; PRAGMA disable_optimizer; CREATE SCHEMA IF NOT EXISTS silver",
    )
    for (const { name, fields, rows } of tables) {
      const columns = fields.map((field) => `"${field.name}" ${sqlType(field.type)}`)
      await connection.run(`CREATE OR REPLACE TABLE silver."${name}" (${columns.join(', ')})`)
      const lines = rows.map(
        (row) => `(${row.map((value, i) => duckLiteral(value, fields[i] as Field)).join(', ')})`,
      )
      if (lines.length > 0)
        await connection.run(`INSERT INTO silver."${name}" VALUES ${lines.join(', ')}`)
    }
    return await use(connection)
  } finally {
    connection.closeSync()
  }
}

/** How a lake stores what DuckDB's type gives. */
export function fieldOf(name: string, sqlName: string): Field {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(sqlName)
  if (decimal)
    return {
      name,
      type: { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) },
    }
  const ids: Readonly<Record<string, string>> = {
    'TIMESTAMP WITH TIME ZONE': 'timestamptz',
    '"NULL"': 'integer',
  }
  const id = ids[sqlName] ?? sqlName.toLowerCase()
  return { name, type: storedAs({ id } as BoundType) }
}

export async function fieldsOf(connection: DuckDBConnection, sql: string): Promise<Field[]> {
  const described = await connection.runAndReadAll(`DESCRIBE ${sql}`)
  return described.getRows().map(([name, type]) => fieldOf(String(name), String(type)))
}

/** A value of DuckDB's as a text that says the same on all engines. */
export const textOf = (sql: string, { type }: Field) =>
  type.kind === 'timestamp' || type.kind === 'timestamptz'
    ? `strftime(${sql}, '%Y-%m-%d %H:%M:%S.%f')`
    : `CAST(${sql} AS VARCHAR)`

/** What an engine gives for a query, with doubles as all engines write them. */
export async function answerOf(
  engine: Answering,
  sql: string,
  fields: readonly Field[],
): Promise<Answer> {
  const { types, rows } = await engine.answer(sql)
  return { types, rows: rows.map((row) => row.map((value, i) => spelt(value, fields[i] as Field))) }
}

export const spelt = (value: string | null, { type }: Field) =>
  type.kind === 'double'
    ? plainDouble(value)
    : type.kind === 'decimal'
      ? plainDecimal(value)
      : value

export interface Tried {
  case: Case
  /** Why it is refused, where it is. */
  refused?: string
  /** How many values were compared. */
  values: number
  wrong: string[]
}

/** Tries cases over columns of the same types on an engine. */
export async function tryCases(
  target: TargetName,
  engine: Answering,
  cases: readonly Case[],
  draw: Draw,
  count: number,
): Promise<Tried[]> {
  const types = cases[0]?.types ?? []
  const fields = types.map((type, i) => ({ name: 'abcd'[i] as string, type: storedAs(type) }))
  const rows = Array.from({ length: count }, (_, i) => [
    String(i),
    ...types.map((type) => hostileValue(type, draw)),
  ])
  const id: Field = { name: 'id', type: { kind: 'int' } }
  const table: Table = { name: 't', fields: [id, ...fields], rows }
  return withTables([table], async (connection) => {
    const own = await fieldsOf(connection, `SELECT ${list(cases)} FROM silver.t`)
    const tried = cases.map((one) => `TRY(struct_pack(v := ${one.sql})) AS x`)
    const asked = tried.map((one, i) => `(${one.slice(0, -5)}) AS x${i}`).join(', ')
    const values = own.map((field, i) => `x${i} IS NOT NULL, ${textOf(`x${i}.v`, field)}`)
    const found = await connection.runAndReadAll(
      `SELECT ${values.join(', ')} FROM (SELECT id, ${asked} FROM silver.t) ORDER BY id`,
    )
    const expected = found.getRows()
    const fine = cases.map(({ line }, i) => {
      // Spark's quotients of 38 digits have six behind the point.
      const most = target === 'spark' && line.startsWith('//') ? 32 : 38
      return expected.map(
        (row) => row[2 * i] === true && !beyond(row[2 * i + 1] as string | null, most),
      )
    })
    const flags = cases.map((_, i): Field => ({ name: `k${i}`, type: { kind: 'boolean' } }))
    const flagged: Table = {
      name: 't',
      fields: [...table.fields, ...flags],
      rows: rows.map((row, r) => [...row, ...fine.map((one) => String(one[r]))]),
    }
    const sql = `SELECT id, ${cases.map((one, i) => `CASE WHEN k${i} THEN ${one.sql} END AS r${i}`).join(', ')} FROM silver.t`
    const given = ['id', ...cases.map((_, i) => `r${i}`)]
    const columns = [id, ...own.map(({ type }, i) => ({ name: `r${i}`, type }))]
    const bound: BoundTable = { schema: 'silver', name: 't', fields: flagged.fields }
    const plan = await boundPlan(sql, [bound])
    const inline = inlined(target, flagged)
    const results = cases.map((one): Tried => ({ case: one, values: 0, wrong: [] }))
    for (const [i, result] of results.entries()) {
      const alone = only(plan, i + 1)
      try {
        renderPlan(alone, { target, columns: [], given, table: () => 't' })
      } catch (error) {
        if (!(error instanceof NotPortable)) throw error
        result.refused = error.message
      }
    }
    const shown = results.flatMap((result, i) => (result.refused ? [] : [i]))
    if (shown.length === 0) return results
    const subset = only(plan, 0, ...shown.map((i) => i + 1))
    const names = ['id', ...shown.map((i) => `r${i}`)]
    const text = renderPlan(subset, {
      target,
      columns: names.map((name) => columns.find((one) => one.name === name) as Field),
      given: names,
      table: () => `${inline} AS t`,
    })
    const answered = await answerOf(
      engine,
      text,
      names.map((name) => columns.find((one) => one.name === name) as Field),
    ).catch((error) => String(error))
    for (const [place, i] of shown.entries()) {
      const result = results[i] as Tried
      if (typeof answered === 'string') {
        result.wrong.push(answered)
        continue
      }
      const field = own[i] as Field
      const type = targets[target].type(storedType(field.type))
      if (answered.types[place + 1] !== type)
        result.wrong.push(`gives ${answered.types[place + 1]}, not ${type}`)
      for (const row of answered.rows) {
        const r = Number(row[0])
        if (!fine[i]?.[r]) continue
        result.values++
        const want = spelt(expected[r]?.[2 * i + 1] as string | null, field)
        const got = row[place + 1] as string | null
        if (want !== got)
          result.wrong.push(
            `${JSON.stringify(rows[r]?.slice(1))}: ${JSON.stringify(got)}, not ${JSON.stringify(want)}`,
          )
      }
    }
    return results
  })
}

const list = (cases: readonly Case[]) => cases.map(({ sql }, i) => `${sql} AS r${i}`).join(', ')

/**
 * Whether a whole number has more digits than others hold, or a day is of no year from 1 to 9999.
 */
const beyond = (text: string | null, most: number) =>
  (text !== null && (/^-?(\d+)$/.exec(text)?.[1]?.length ?? 0) > most) ||
  /^-?\d{5,}-\d\d-\d\d|^-?\d{1,3}-\d\d-\d\d|\(BC\)/.test(text ?? '')

/** A plan whose projection gives some of its expressions. */
function only(plan: unknown, ...places: readonly number[]): unknown {
  const { plans } = plan as { plans: { expressions: unknown[] }[] }
  const [root] = plans
  return { plans: [{ ...root, expressions: places.map((place) => root?.expressions[place]) }] }
}
