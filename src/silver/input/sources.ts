import { fullName } from '../../define/dataset.js'
import type { AnyInput, Silver } from '../../define/model.js'
import { reference } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import type { BatchPointer } from '../../log/commit.js'
import type { BuildDecision, Window } from '../../plan/decision.js'
import { bronzeLineage } from '../../step/batches.js'
import { columnTypes } from '../../step/requested-types.js'
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
  if (from.tier !== 'bronze') {
    await relations.define(session, [from])
    const lineage = bronzeLineage.map(
      (name) => `CAST(NULL AS ${name === '_source_line' ? 'BIGINT' : 'VARCHAR'}) AS ${name}`,
    )
    const present = (await session.describe(`SELECT * FROM ${reference(from)}`)).map((c) => c.name)
    // What another engine calls so is not what it says here.
    const own = ['_loaded_at', ...bronzeLineage, '_superseded']
    const hidden = present.filter((name) => own.includes(name.toLowerCase()))
    const shown = hidden.length > 0 ? session.dialect.rows.except(hidden) : '*'
    const sql = `SELECT ${shown}, ${lineage.join(', ')}, false AS _superseded FROM ${reference(from)}`
    return [{ sql, values: [], rows: undefined }]
  }
  const pointers = windowOf(context, from, decision)
  // Without a key, only the newest version of each source file counts.
  const marked = dataset.key.length === 0
  const { values, texts, nonCanonical } = await relations.bronzeParts(
    session,
    pointers,
    wanted,
    marked,
    context.part,
  )
  const parts = [
    ...(values ? [{ ...values, values: values.columns }] : []),
    ...(texts ? [{ ...texts, values: [] }] : []),
    ...(nonCanonical
      ? [{ ...nonCanonical, sql: await found(session, nonCanonical.sql), values: [] }]
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

function windowOf(
  context: InputContext,
  from: AnyInput,
  decision: BuildDecision,
): readonly BatchPointer[] {
  const name = fullName(from)
  const found = decision.windows.find((window: Window) => window.dataset === name)
  if (found) return found.batches
  return decision.mode === 'incremental' ? [] : (context.relations.view.batches[name] ?? [])
}
