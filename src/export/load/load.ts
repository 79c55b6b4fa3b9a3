import { columnsFor, decide } from '../decide.js'
import type { TransactionStep } from '../dialect.js'
import { metadataOf, snapshotOf } from '../lake-table.js'
import { hashOf, shapeOf } from '../record.js'
import { applyChanges } from './changes.js'
import { Records } from './records.js'
import { replaceTable } from './replace.js'
import {
  committing,
  grantAll,
  granting,
  knownOf,
  type Load,
  type Loaded,
  notBehind,
  type Recording,
  shownName,
} from './work.js'

/**
 * Brings one table of a target to the version that the lake has: rows and the record of them in one
 * transaction. Whoever comes while another export works on the table waits, and then sees what that
 * has done.
 */
export async function loadTable(load: Load): Promise<Loaded> {
  const { dialect, target, table } = load
  const say = async (step: TransactionStep) =>
    void (await (target.transact ? target.transact(step) : target.ask(step)))
  await dialect.prepare?.(target, table)
  if (dialect.transactionalDdl) await say('BEGIN')
  try {
    await dialect.lock(target, table, () =>
      load.note(`waits for another export of ${shownName(table)}`),
    )
    load.at('locked')
    const loaded = await underLock(load)
    await committing(() => say('COMMIT'))
    load.at('done')
    // There it is a statement of its own: one that an earlier export did not come to is made now.
    if (!dialect.transactionalDdl) await granting(() => grantAll(load))
    return loaded
  } catch (error) {
    await say('ROLLBACK').catch(() => {})
    throw error
  } finally {
    await dialect.unlock(target, table).catch(() => {})
  }
}

async function underLock(given: Load): Promise<Loaded> {
  const { dialect, target, table, lake, full } = given
  const records = new Records(dialect, target, table.schema)
  await records.create()
  const [record] = await records.latest(table.name)
  const now = await notBehind(given, record?.commit)
  const load = { ...given, now }
  const { commit } = now
  const found = await dialect.find(target, table)
  const known = await knownOf(load, record)
  const decision = decide({ lake, shown: shownName(table), now, record, found, full, ...known })
  load.at('planned')
  if (decision.action === 'none') return { decision, written: 0n, rows: record?.rows ?? 0n, commit }
  const columns = columnsFor(dialect, now.dataset, now.columns)
  const recording: Recording = {
    records,
    recordOf: (written) => ({
      table: table.name,
      number: (record?.number ?? 0) + 1,
      lake,
      dataset: now.dataset,
      snapshot: snapshotOf(now),
      metadata: metadataOf(now),
      commit,
      rows: written.figures.rows,
      hash: hashOf(shapeOf(now.columns), written.figures),
      columns: shapeOf(now.columns),
      ...written,
    }),
  }
  const changed =
    decision.action === 'changes' && record
      ? await applyChanges(load, decision.by, record)
      : undefined
  if (changed) await records.add(recording.recordOf(changed))
  const written = changed ?? (await replaceTable(load, columns, { found, record }, recording))
  load.at('recorded')
  const isWhole = decision.action === 'changes' && written.mode === 'replace'
  return {
    decision: isWhole ? { action: 'replace', reason: decision.reason } : decision,
    written: written.written,
    rows: written.figures.rows,
    commit,
  }
}

/** What a load would do; nothing is changed, and nobody waited for. */
export async function planTable(
  load: Pick<Load, 'dialect' | 'target' | 'table' | 'now' | 'lake' | 'full' | 'builtBy'>,
): Promise<Loaded> {
  const { dialect, target, table, now, lake, full } = load
  const records = new Records(dialect, target, table.schema)
  const [record] = (await records.exist()) ? await records.latest(table.name) : []
  const found = await dialect.find(target, table)
  const known = await knownOf(load, record)
  const decision = decide({ lake, shown: shownName(table), now, record, found, full, ...known })
  columnsFor(dialect, now.dataset, now.columns)
  return { decision, written: 0n, rows: BigInt(now.rows), commit: now.commit, has: record?.commit }
}
