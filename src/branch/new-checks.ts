import { checkName } from '../define/check.js'
import { fullName } from '../define/dataset.js'
import { inputsOf, lookedInto } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { AnyInput, Check, Gold, Silver } from '../define/model.js'
import type { Session } from '../engine/engine.js'
import { Table } from '../iceberg/table.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import { askedBy, holdChecks } from '../step/checks.js'
import type { CheckResult } from '../step/events.js'
import type { Storage } from '../storage/storage.js'
import { HeldChecks } from './diff/checks.js'
import { hasSameRows } from './diff/same.js'
import { relationsIn } from './why/relations.js'

/** How checks of a dataset came out. */
export interface HeldOn {
  dataset: string
  checks: readonly CheckResult[]
}

/** A lake as it is on a branch, and what of it a run has left as it was. */
interface Reviewed {
  lake: Lake
  storage: Storage
  log: CommitLog
  state: LakeState
  /** Full names. */
  unchanged: readonly string[]
}

/**
 * Holds tables that a run has left as they were against the checks that no run is known to have
 * held on them as they are now: such that a change has added, or changed under their name, or that
 * look into what the branch has changed.
 *
 * @param open a session, where there is something to hold.
 */
export async function holdNewChecks(
  { lake, storage, log, state, unchanged }: Reviewed,
  open: () => Promise<Session>,
): Promise<HeldOn[]> {
  const held = new HeldChecks(storage, log, state)
  const fork = await log.stateAt(log.forkedAt)
  const isMoved = (check: Check) => lookedInto(check).some((other) => isChanged(other, fork, state))
  const found: (Silver | Gold)[] = []
  for (const dataset of lake.datasets) {
    const name = fullName(dataset)
    if (dataset.tier === 'bronze' || !unchanged.includes(name) || !state.tables[name]) continue
    const known = await held.of(name)
    const checks = dataset.checks.filter((check) => !isHeld(check, known) || isMoved(check))
    if (checks.length > 0) found.push({ ...dataset, checks })
  }
  if (found.length === 0) return []
  const session = await open()
  const relations = await relationsIn(storage, state, lake)
  const results: HeldOn[] = []
  for (const dataset of found) {
    const name = fullName(dataset)
    const table = state.tables[name]
    if (!table) continue
    const context = { storage, relations, started: new Date(), rowsBefore: [] }
    const version = await Table.load(storage, table)
    const checks = await holdChecks(context, session, dataset, version, table.counts)
    results.push({ dataset: name, checks })
  }
  return results
}

/** Whether a result says how a check comes out that is asked just so, and how severe that is. */
const isHeld = (check: Check, known: readonly CheckResult[]): boolean =>
  known.some(
    ({ check: name, query, passed, severity }) =>
      name === checkName(check) &&
      query === askedBy(check) &&
      (passed || severity === check.severity),
  )

/** Whether a branch has other rows of a dataset than the state that it left. */
function isChanged(other: AnyInput, fork: LakeState, state: LakeState): boolean {
  const name = fullName(other)
  if (!hasSameRows(fork.tables[name], state.tables[name])) return true
  if (other.tier !== 'gold' || !other.view) return false
  const isOther = fork.views?.[name]?.sql !== state.views?.[name]?.sql
  return isOther || inputsOf(other).some((input) => isChanged(input, fork, state))
}
