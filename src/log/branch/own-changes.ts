import type { Changes, LakeState } from '../commit.js'
import { externalTo } from '../external.js'
import type { CommitLog } from '../log.js'
import { differences } from '../maps.js'

/** What a branch changes of the lake: no batches, as sources are read on main. */
export type OwnChanges = Required<Pick<Changes, 'tables' | 'views' | 'offsets'>> &
  Pick<Changes, 'external'>

/** A branch beside the state that it left, and its newest one. */
export interface BranchStates {
  branch: CommitLog
  fork: LakeState
  head: LakeState
}

export async function statesOf(branch: CommitLog): Promise<BranchStates> {
  const head = await branch.head()
  return { branch, fork: await branch.stateAt(branch.forkedAt), head }
}

/** What leads from the state that a branch left to its newest one. */
export function ownChanges({ fork, head }: Pick<BranchStates, 'fork' | 'head'>): OwnChanges {
  const tables = differences(fork.tables, head.tables)
  const views = differences(fork.views ?? {}, head.views ?? {})
  // A table goes with how far it has read its inputs, also where that is what it was: main may have
  // gone on.
  const read = [...Object.keys(tables), ...Object.keys(views)].filter(isDataset)
  const offsets = Object.fromEntries(read.map((name) => [name, head.offsets[name] ?? null]))
  return {
    tables,
    views,
    offsets: { ...differences(fork.offsets, head.offsets), ...offsets },
    ...externalTo(fork.external, head.external),
  }
}

/** Datasets and tables that changes are of, in order. */
export function namesOf({ tables, views, external }: OwnChanges): string[] {
  const others = Object.keys(external?.relations ?? {}).map((key) => key.replaceAll('\u001f', '.'))
  return [...new Set([...Object.keys(tables), ...Object.keys(views), ...others])].sort()
}

/** Names of `silver.*` and `gold.*`, without the tables that go with them. */
export const isDataset = (name: string): boolean => /^(silver|gold)\./.test(name)
