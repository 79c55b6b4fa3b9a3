import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import { openNamed } from '../log/branch/named.js'
import type { CommitInfo, LakeState, TableState } from '../log/commit.js'
import { changesTo, isEmpty } from '../log/fold.js'
import type { CommitLog } from '../log/log.js'
import { behind } from '../log/reader.js'
import { bothWrote, hasAllOf } from './moved.js'
import { type BranchStates, type OwnChanges, ownChanges, statesOf } from './own-changes.js'

/** What became of a branch that was brought to main's newest state. */
export interface Refreshed {
  /** The commit of main that it starts at now, and the one before. */
  at: number
  before: number
  /** Tables of it that were kept: a run goes on from them. */
  kept: string[]
  /** Tables that have to be built again from the beginning. */
  dropped: string[]
}

/**
 * Brings a branch to main's newest state: what it has built stays where main only has more, so that
 * the next run on it reads just that. The name leads to another branch of the log, as ids and
 * entries never change.
 */
export async function refreshBranch(
  main: CommitLog,
  name: string,
  author: Omit<CommitInfo, 'message'>,
): Promise<Refreshed> {
  const states = await statesOf(await openNamed(main, name))
  const at = await main.head()
  const before = states.branch.forkedAt
  // What only gives branches their names changes nothing of the lake.
  if (isEmpty(changesTo(states.fork, at))) return { at: before, before, kept: [], dropped: [] }
  const both = bothWrote(states, at)
  if (both.length > 0)
    throw new MoraineError(
      'conflict',
      `Branch ${name} and main have both changed ${both.join(', ')}`,
      {
        hint: 'Other engines wrote these tables, so no run can bring them up to date: write to a new branch. Nothing was changed.',
      },
    )
  const { carried, dropped } = carriedTo(states, at)
  const id = `${name}.${randomBytes(6).toString('hex')}`
  const { ttl } = states.branch.forked ?? {}
  const life = { created: new Date().toISOString(), ...(ttl === undefined ? {} : { ttl }) }
  const branch = await main.fork(id, at, life)
  const info = { ...author, message: `bring branch ${name} to commit ${at.number} of main` }
  branch.definition = await lastDefinition(states)
  const kept = Object.keys(carried.tables).filter((table) => carried.tables[table])
  // The branch of before leads to all of these files for as long as it has the name.
  const isCarried = [carried.tables, carried.views].some((of) => Object.keys(of).length > 0)
  if (isCarried) await branch.commit(await branch.head(), carried, info, { seen: true })
  const named = await main.commit(at, { branches: { [name]: id } }, info, { seen: true })
  await carryLate(states, branch, info)
  if (at.number < (named.horizon ?? 0)) throw behind(at.number, named.horizon as number)
  return { at: at.number, before, kept, dropped }
}

/** What a run has committed to the branch of before while the other one was made. */
async function carryLate(
  { branch: old, head: seen }: BranchStates,
  to: CommitLog,
  info: CommitInfo,
) {
  const late = await old.head()
  if (late.number === seen.number) return
  const changes = ownChanges({ fork: seen, head: late })
  await to.commit(await to.head(), changes, info, { seen: true })
}

/** By which definition the last commit of a branch was made. */
export async function lastDefinition({ branch, head, fork }: BranchStates) {
  for (let number = head.number; number > fork.number; number--) {
    const { definition } = (await branch.entry(number))?.commit ?? {}
    if (definition !== undefined) return definition
  }
  return undefined
}

/** What a branch has built that a run can go on from on another state of main. */
function carriedTo(
  states: BranchStates,
  main: LakeState,
): { carried: OwnChanges; dropped: string[] } {
  const own = ownChanges(states)
  const dropped = Object.keys(own.offsets).filter(
    (name) => !canGoOn(name, states, main) || hasSame(states.head.tables[name], main, name),
  )
  const isKept = (name: string) => !dropped.some((one) => nameOf(one) === nameOf(name))
  const kept = <T>(of: Record<string, T>) =>
    Object.fromEntries(Object.entries(of).filter(([name]) => isKept(name)))
  const { tables, views, offsets, external } = own
  const carried = { tables: kept(tables), views: kept(views), offsets: kept(offsets) }
  return { carried: { ...carried, ...(external ? { external } : {}) }, dropped }
}

/** Tables that go with others (`discarded.orders`) have their name. */
const nameOf = (table: string) =>
  table.replace(/^(discarded|history|tombstones|deleted)\./, 'silver.')

/** Whether main has all batches that a table of a branch was made of, as they were. */
function canGoOn(name: string, { head }: BranchStates, main: LakeState): boolean {
  return Object.entries(head.offsets[name] ?? {}).every(
    ([input, seen]) => typeof seen !== 'number' || hasAllOf(input, seen, head, main),
  )
}

/** Whether main has built a table by the same definition meanwhile. */
function hasSame(table: TableState | undefined, { tables }: LakeState, name: string): boolean {
  const now = tables[name]
  if (!table || !now || now.metadata === table.metadata) return false
  const text = ({ definition }: TableState) => JSON.stringify(Object.entries(definition).sort())
  return text(table) === text(now)
}
