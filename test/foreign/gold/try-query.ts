import { boundPlan } from '../../../src/engine/duckdb/bound-plan.js'
import { renderPlan } from '../../../src/sql/bound/render.js'
import { type TargetName, targets } from '../../../src/sql/bound/target.js'
import { storedType } from '../../../src/sql/bound/types.js'
import { answerOf, fieldsOf, inlined, spelt, type Table, textOf, withTables } from './compare.js'
import type { Answering } from './engines.js'

/** What an engine gives otherwise than DuckDB, of a whole query: its types, and its rows. */
export async function tryQuery(
  target: TargetName,
  engine: Answering,
  sql: string,
  tables: readonly Table[],
): Promise<{ rows: number; wrong: string[] }> {
  return withTables(tables, async (connection) => {
    const fields = await fieldsOf(connection, sql)
    const texts = fields.map((field) => textOf(`"${field.name}"`, field))
    const found = await connection.runAndReadAll(`SELECT ${texts.join(', ')} FROM (${sql})`)
    const want = found
      .getRows()
      .map((row) =>
        row.map((value, i) => spelt(value as string | null, fields[i] as (typeof fields)[0])),
      )
    const plan = await boundPlan(
      sql,
      tables.map((table) => ({ schema: 'silver', ...table })),
    )
    const text = renderPlan(plan, {
      target,
      columns: fields,
      given: fields.map(({ name }) => name),
      table: (_, name) => {
        const table = tables.find((one) => one.name === name) as Table
        return `${inlined(target, table)} AS ${name}`
      },
    })
    const got = await answerOf(engine, text, fields)
    const types = fields.map(({ type }) => targets[target].type(storedType(type)))
    const wrong = types.flatMap((type, i) =>
      type === got.types[i] ? [] : [`column ${i} is ${got.types[i]}, not ${type}`],
    )
    const lines = (rows: readonly (readonly (string | null)[])[]) =>
      rows.map((row) => JSON.stringify(row)).sort()
    const [ours, theirs] = [lines(want), lines(got.rows)]
    const other = ours.findIndex((line, i) => line !== theirs[i])
    if (other >= 0 || ours.length !== theirs.length)
      wrong.push(
        `${theirs.length} rows, not ${ours.length}; ${theirs[other]} where DuckDB has ${ours[other]}`,
      )
    return { rows: ours.length, wrong }
  })
}
