import { fullName } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import type { Silver } from '../define/model.js'
import { renderSql } from '../define/sql/sql.js'
import { count } from '../engine/count.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { RowCounts, TableState } from '../log/commit.js'
import { definitionOf } from '../plan/fingerprint.js'
import type { Built } from '../step/built.js'
import { hash, type RunContext, withSession } from '../step/context.js'
import { carefully, isAboutValue } from './careful.js'
import { deduplicate, withoutOutrun } from './deduplicate.js'
import { type Chosen, chooseRows } from './discarded.js'
import { mergeRows } from './merged.js'
import { tallyRows, validate } from './validate.js'
import { writeReplayed } from './write.js'

/** Which discarded rows are judged again. */
export interface Replay extends Chosen {
  /** The full name of the silver dataset. */
  dataset: string
}

/**
 * Judges discarded rows again: those that pass now enter the table, unless it has a newer row of their key; the others stay where they
 * are. `undefined` when that would change nothing.
 */
export async function replayDiscarded(
  context: RunContext,
  dataset: Silver,
  replay: Replay,
): Promise<Built | undefined> {
  const name = fullName(dataset)
  const before = context.relations.view.tables[name]
  if (!before?.counts)
    throw new MoraineError('usage', `${name} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const known = { ...before, counts: before.counts }
  return carefully(context, dataset, (how) => replayed(how, dataset, replay, known))
}

async function replayed(
  context: RunContext & { careful?: boolean },
  dataset: Silver,
  replay: Replay,
  before: TableState & { counts: RowCounts },
): Promise<Built | undefined> {
  return withSession(context, fullName(dataset), async (session) => {
    await context.relations.define(session, lookupsOf(dataset))
    const changed = await refuseOtherDefinition(context, session, dataset, before)
    const chosen = await chooseRows(context, session, dataset, replay)
    if (!chosen) return undefined
    const { replayed, decision } = chosen
    const validated = await validate(context, session, dataset, decision)
    const tally = await tallyRows(session, validated)
    const leaving = await session.materialize(
      `SELECT r.* FROM ${replayed.sql} AS r ANTI JOIN ${validated.flagged.sql} AS f
       ON r._source_line = f._source_line AND r._source_file = f._source_file AND r._batch = f._batch AND r.reasons = f._reasons`,
    )
    const some = (await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)) > 0
    if (!some && !changed) return undefined
    const deduplicated = await withoutOutrun(
      context,
      session,
      dataset,
      decision,
      await deduplicate(session, dataset, validated),
    )
    const ready = { dataset, decision, validated, tally, deduplicated }
    const merged = await mergeRows(context, session, ready)
    return writeReplayed(context, session, merged, { before, leaving })
  })
}

/**
 * A definition that differs by more than its rules would give other rows than those that are there. One that differs by rules is taken
 * where all rows that are there keep to them. Returns whether it differs.
 */
async function refuseOtherDefinition(
  context: RunContext,
  session: Session,
  dataset: Silver,
  { definition }: TableState,
): Promise<boolean> {
  const now = definitionOf(dataset, hash)
  const names = [...new Set([...Object.keys(definition), ...Object.keys(now)])]
  const changed = names.filter((part) => definition[part] !== now[part])
  if (changed.length === 0) return false
  const other = changed.find((part) => !part.startsWith('rule '))
  const name = fullName(dataset)
  const refuse = (why: string) =>
    new MoraineError(
      'usage',
      `the discarded rows of ${name} cannot be replayed on their own: ${why}`,
      {
        ...(dataset.place ? { place: dataset.place } : {}),
        hint: `Run it instead: moraine run ${name} rebuilds it from all of its rows, including the discarded ones.`,
      },
    )
  if (other) throw refuse(`its definition changed (${other})`)
  const relation = await context.relations.tableRelation(session, name)
  for (const rule of dataset.rules) {
    if (rule.severity === 'warn' || !changed.includes(`rule ${rule.name}`)) continue
    const broken = `SELECT count(*) AS n FROM (${relation}) WHERE NOT coalesce((\n${renderSql(rule.condition)}\n), true)`
    const n = await count(session, broken).catch((error) => {
      if (isAboutValue(error)) throw refuse(`the rule '${rule.name}' fails on rows of the table`)
      throw error
    })
    if (n > 0) throw refuse(`${n} rows of the table violate the rule '${rule.name}'`)
  }
  return true
}
