import { fullName } from '../../define/dataset.js'
import type { AnyInput, Silver } from '../../define/model.js'
import { reference } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import type { BuildDecision } from '../../plan/decision.js'
import { bronzeLineage } from '../../step/batches.js'
import { columnTypes } from '../../step/requested-types.js'
import { tableFiles } from '../../step/table-files.js'
import { batchesRead } from '../../step/task/split.js'
import { type InputGroup, inputGroups } from './groups.js'
import type { InputContext, Source } from './types.js'

/**
 * Columns that a dataset reads as they are, in lower case, with the engine's types of their values.
 */
export function wantedBy(dataset: Silver): Map<string, string> {
  return new Map(columnTypes(dataset).map(([name, type]) => [name.toLowerCase(), type]))
}

export async function sourcesOf(
  context: InputContext,
  session: Session,
  dataset: Silver,
  from: AnyInput,
  decision: BuildDecision,
  wanted: ReadonlyMap<string, string>,
): Promise<Source[]> {
  const { relations } = context
  const group = await groupOf(context, dataset, decision)
  if (from.tier !== 'bronze') {
    const some = await someOf(context, session, from, group)
    if (!some) await relations.define(session, [from])
    const given = some ?? reference(from)
    const lineage = bronzeLineage.map(
      (name) => `CAST(NULL AS ${name === '_source_line' ? 'BIGINT' : 'VARCHAR'}) AS ${name}`,
    )
    const present = (await session.describe(`SELECT * FROM ${given}`)).map((c) => c.name)
    // What another engine calls so is not what it says here.
    const own = ['_loaded_at', ...bronzeLineage, '_superseded']
    const hidden = present.filter((name) => own.includes(name.toLowerCase()))
    const shown = hidden.length > 0 ? session.dialect.rows.except(hidden) : '*'
    const sql = `SELECT ${shown}, ${lineage.join(', ')}, false AS _superseded FROM ${given}`
    return [{ sql, values: [], rows: undefined }]
  }
  const pointers = batchesRead(decision, context.relations.view, from)
  // Without a key, only the newest version of each source file counts.
  const marked = dataset.key.length === 0
  const chosen = group && (group.bronze.get(fullName(from)) ?? [])
  const given = await relations.bronzeParts(session, pointers, wanted, marked, chosen)
  const { values, texts, nonCanonical } = given
  const about = given.estimated ? { estimated: true } : {}
  const parts = [
    ...(values ? [{ ...values, ...about, values: values.columns }] : []),
    ...(texts ? [{ ...texts, values: [] }] : []),
    ...(nonCanonical
      ? [{ ...nonCanonical, ...about, sql: await found(session, nonCanonical.sql), values: [] }]
      : []),
  ]
  if (context.sample !== undefined) return sampled(session, parts, context.sample)
  if (parts.length > 0) return parts
  // No rows, but the columns that its files have.
  const known = relations.view.batches[fullName(from)] ?? []
  const { sql } = await relations.bronzeRelation(session, known.slice(-1), from.from.columns ?? [])
  return [{ sql: `SELECT *, false AS _superseded FROM (${sql}) WHERE false`, values: [], rows: 0 }]
}

/** Rows that take a look at many others, looked for once in a session. */
async function found(session: Session, sql: string): Promise<string> {
  return `SELECT * FROM ${(await session.materialize(sql, { again: true })).sql}`
}

/** The first rows of each part, the same ones however often they are read. */
async function sampled(
  session: Session,
  parts: readonly Source[],
  most: number,
): Promise<Source[]> {
  const found: Source[] = []
  for (const part of parts) {
    const { sql } = await session.materialize(`${part.sql} LIMIT ${most}`, { again: true })
    found.push({ ...part, sql: `SELECT * FROM ${sql}`, rows: undefined })
  }
  return found
}

/** What a part of a step reads of the inputs; `undefined` where that is all. */
async function groupOf(
  context: InputContext,
  dataset: Silver,
  decision: BuildDecision,
): Promise<InputGroup | undefined> {
  const { part } = context
  if (part?.by !== 'files') return undefined
  const groups = await inputGroups(context, dataset, decision, part)
  return groups[part.index] ?? { bronze: new Map(), tables: new Map() }
}

/** SQL for the rows of a table that a group of files has. */
async function someOf(
  { relations, storage }: InputContext,
  session: Session,
  from: AnyInput,
  group: InputGroup | undefined,
): Promise<string | undefined> {
  const table = group && (await relations.table?.(fullName(from)))
  if (!table || !storage) return undefined
  const tasks = group.tables.get(fullName(from)) ?? []
  return `(${session.tables.scan(table.schema, tableFiles(storage, table, tasks))})`
}
