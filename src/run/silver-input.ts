import type { z } from 'zod'
import { z as zod } from 'zod'
import { type AnyDataset, fullName, type Silver } from '../define/dataset.js'
import { nearest } from '../define/nearest.js'
import { quoteName, renderSql } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer } from '../log/commit.js'
import type { BuildDecision, View, Window } from '../plan/plan.js'
import type { RawColumn } from '../quality/column.js'
import { bindExpression } from './expressions.js'
import { bronzeLineage } from './relations.js'

/** The rows that a silver step reads, ready to be checked. */
export interface SilverInput {
  /** SQL for lineage, `_input` (all raw values as a struct), and a raw value a column: r0, r1 … */
  relation: string
  raw: Record<string, RawColumn>
  /** The columns that the inputs have. */
  columns: string[]
}

/** What reading inputs needs of a run. */
export interface InputContext {
  relations: InputRelations
}

/** Where the rows of inputs come from; a test gives its own. */
export interface InputRelations {
  readonly view: View
  define(session: Session, datasets: readonly AnyDataset[]): Promise<void>
  bronzeRelation(
    session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }>
}

/** Puts the inputs of a silver dataset together, one after the other, and applies `select`. */
export async function silverInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<SilverInput> {
  const inputs: string[] = []
  for (const from of dataset.from)
    inputs.push(await oneInput(context, session, dataset, from, decision))
  const union = inputs.join('\nUNION ALL BY NAME\n')
  const available = (await session.describe(union)).map((c) => c.name)
  const values = available.filter((name) => !bronzeLineage.includes(name) && name !== '_superseded')
  const struct = values.map((name) => `${quoteName(name)} := i.${quoteName(name)}`)
  const input = struct.length > 0 ? `struct_pack(${struct.join(', ')})` : 'NULL'
  const columns = Object.entries(dataset.schema.shape).map(([name, schema], i) => {
    const sql = columnSql(dataset, name, schema as z.ZodType, available)
    return { name, sql, alias: `r${i}` }
  })
  const selected = columns.map(({ sql, alias }) => `${sql} AS ${alias}`).join(',\n')
  const from = `FROM (${union}) AS i`
  const { deleteWhen } = dataset
  const deleted = deleteWhen ? `coalesce((\n${renderSql(deleteWhen)}\n), false)` : 'false'
  const relation = `SELECT i._batch, i._source_file, i._source_line, i._error, i._raw, i._superseded, ${deleted} AS _deleted, ${input} AS _input,
${selected}
${from}`
  const types = await describe(session, dataset, relation, union)
  const raw = columns.map(({ name, alias }) => {
    const type = types.find((c) => c.name === alias)?.sqlType ?? 'VARCHAR'
    return [name, { sql: alias, sqlType: type }] as const
  })
  return { relation, raw: Object.fromEntries(raw), columns: values }
}

async function oneInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  from: AnyDataset,
  decision: BuildDecision,
): Promise<string> {
  const { relations } = context
  if (from.tier !== 'bronze') {
    await relations.define(session, [from])
    const lineage = bronzeLineage.map(
      (name) => `CAST(NULL AS ${name === '_source_line' ? 'BIGINT' : 'VARCHAR'}) AS ${name}`,
    )
    const present = (
      await session.describe(`SELECT * FROM ${from.tier}.${quoteName(from.name)}`)
    ).map((c) => c.name)
    const hidden = ['_loaded_at', '_batch'].filter((name) => present.includes(name))
    const exclude = hidden.length > 0 ? ` EXCLUDE (${hidden.join(', ')})` : ''
    return `SELECT *${exclude}, ${lineage.join(', ')}, false AS _superseded FROM ${from.tier}.${quoteName(from.name)}`
  }
  const pointers = windowOf(context, from, decision)
  const declared = from.from.columns ?? []
  if (pointers.length === 0) {
    // No rows, but the columns that its files have.
    const known = relations.view.batches[fullName(from)] ?? []
    const { sql } = await relations.bronzeRelation(session, known.slice(-1), declared)
    return `SELECT *, false AS _superseded FROM (${sql}) WHERE false`
  }
  const { sql } = await relations.bronzeRelation(session, pointers, declared)
  return markEarlierVersions(sql, dataset, pointers)
}

function windowOf(
  context: InputContext,
  from: AnyDataset,
  decision: BuildDecision,
): readonly BatchPointer[] {
  const name = fullName(from)
  const found = decision.windows.find((window: Window) => window.dataset === name)
  if (found) return found.batches
  return decision.mode === 'incremental' ? [] : (context.relations.view.batches[name] ?? [])
}

/**
 * Without a key, only the newest version of each source file counts: the rows of earlier ones are
 * marked as superseded.
 */
function markEarlierVersions(
  sql: string,
  dataset: Silver,
  pointers: readonly BatchPointer[],
): string {
  const marked = dataset.key.length === 0 && pointers.some((pointer) => pointer.replaces)
  const superseded = marked ? '_batch < max(_batch) OVER (PARTITION BY _source_file)' : 'false'
  return `SELECT *, ${superseded} AS _superseded FROM (${sql})`
}

/** SQL for one column of the schema over the input `i`. */
function columnSql(
  dataset: Silver,
  name: string,
  schema: z.ZodType,
  available: readonly string[],
): string {
  const chosen = Object.hasOwn(dataset.select, name) ? dataset.select[name] : name
  if (chosen !== undefined && typeof chosen !== 'string') return `(\n${renderSql(chosen)}\n)`
  const source = chosen ?? name
  const found = available.find((column) => column.toLowerCase() === source.toLowerCase())
  if (found) return `i.${quoteName(found)}`
  if (zod.safeParse(schema, undefined).success) return 'CAST(NULL AS VARCHAR)'
  const known = available.filter(
    (column) => !bronzeLineage.includes(column) && column !== '_superseded',
  )
  const similar = nearest(source, known)
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: its input has no column '${source}'`,
    {
      place: dataset.place && { ...dataset.place, near: `${name}:` },
      hint: similar
        ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
        : `The input has: ${known.join(', ')}. Is the delimiter right?`,
    },
  )
}

/** Asks for the types; an error in a `select` expression is blamed on the expression. */
async function describe(session: Session, dataset: Silver, relation: string, input: string) {
  try {
    return await session.describe(relation)
  } catch (error) {
    for (const chosen of [...Object.values(dataset.select), dataset.deleteWhen])
      if (chosen && typeof chosen !== 'string') await bindExpression(session, chosen, input)
    throw error
  }
}
