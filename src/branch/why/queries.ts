import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { AnyInput, Gold } from '../../define/model.js'
import { historiesIn, quoteName, renderSql } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { describeGold } from '../../gold/describe.js'
import { type ColumnSource, columnLineage } from '../../plan/lineage.js'
import type { Relations } from '../../step/relations.js'

/** The queries of gold datasets, and what their columns are computed from. */
export interface GoldQueries {
  /** What the parser gives for each, by their full names in lower case. */
  trees: ReadonlyMap<string, string>
  /** The columns of the dataset that is asked about. */
  fields: readonly Field[]
  /** The columns of silver that a column of it is computed from. */
  sourcesOf(column: string): ColumnSource[]
}

/** Reads the queries that a gold dataset stands on, with all other datasets defined. */
export async function goldQueries(
  session: Session,
  relations: Relations,
  dataset: Gold,
): Promise<GoldQueries> {
  const trees = new Map<string, string>()
  const lineages = new Map<string, ReturnType<typeof columnLineage>>()
  const fields = new Map<string, readonly Field[]>()
  const columns = new Map<string, string[]>()
  const add = async (gold: Gold): Promise<void> => {
    const name = fullName(gold).toLowerCase()
    if (trees.has(name)) return
    const inputs = inputsOf(gold)
    for (const input of inputs) if (input.tier === 'gold') await add(input)
    await relations.define(session, inputs)
    await relations.defineHistories(session, historiesIn(gold.query))
    for (const [table, sql] of relationsOf(gold, inputs))
      if (!columns.has(table))
        columns.set(
          table,
          (await session.describe(sql)).map((c) => c.name),
        )
    const described = await describeGold(session, gold)
    const sql = renderSql(gold.query)
    const typed = described.fields.map(({ name: column, type }) => {
      const own = quoteName(column)
      return `CAST(${own} AS ${session.dialect.values.type(type)}) AS ${own}`
    })
    const text = gold === dataset ? sql : `SELECT ${typed.join(', ')} FROM (\n${sql}\n)`
    trees.set(name, await session.parser.tree(text))
    fields.set(name, described.fields)
    const columnsOf = (table: string) => columns.get(table.toLowerCase()) ?? []
    lineages.set(name, columnLineage(await session.parser.tree(sql), columnsOf))
  }
  await add(dataset)
  const sourcesOf = (table: string, column: string): ColumnSource[] => {
    const lineage = lineages.get(table.toLowerCase())
    if (!lineage) return [{ table, column }]
    const found = lineage.get(column.toLowerCase()) ?? []
    return found.flatMap((one) => sourcesOf(one.table, one.column))
  }
  const own = fullName(dataset)
  return {
    trees,
    fields: fields.get(own.toLowerCase()) ?? [],
    sourcesOf: (column) => {
      const found = sourcesOf(own, column).map(
        (one) => [`${one.table}.${one.column}`, one] as const,
      )
      return [...new Map(found).values()]
    },
  }
}

function relationsOf(gold: Gold, inputs: readonly AnyInput[]): [string, string][] {
  const histories = historiesIn(gold.query).map(({ name }) => `history.${name}`)
  return [...inputs.map(fullName), ...histories].map((name) => {
    const [schema = '', ...rest] = name.split('.')
    const from = `${quoteName(schema)}.${quoteName(rest.join('.'))}`
    return [name.toLowerCase(), `SELECT * FROM ${from}`]
  })
}
