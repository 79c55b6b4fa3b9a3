import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
import type { CommitInfo, LakeState, TableState } from '../commit.js'
import { foldExternal } from '../external.js'
import { changesTo, isEmpty } from '../fold.js'
import type { CommitLog } from '../log.js'
import { merged } from '../maps.js'
import type { Life } from './fork.js'
import { bothWrote, hasAllOf, hasLetGo, leftOf, WRITTEN_TWICE } from './moved.js'
import { idOf, openNamed, refuseBehind } from './named.js'
import { type BranchStates, namesOf, type OwnChanges, ownChanges, statesOf } from './own-changes.js'
import {
  datasetOf as nameOf,
  ownIntake,
  ownSourcesIn,
  readersIn,
  withoutTables,
} from './own-sources.js'

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
        hint: `${WRITTEN_TWICE} Nothing was changed.`,
      },
    )
  const { carried, dropped } = carriedTo(states, at)
  const id = idOf(name)
  const life = lifeFrom(states, at)
  const branch = await main.fork(id, at, life)
  const info = { ...author, message: `bring branch ${name} to commit ${at.number} of main` }
  branch.definition = await lastDefinition(states)
  const kept = Object.keys(carried.tables).filter((table) => carried.tables[table])
  // The branch of before leads to all of these files for as long as it has the name.
  const changes = { ...carried, ...ownIntake(states.head, at) }
  if (!isEmpty(changes)) await branch.commit(await branch.head(), changes, info, { seen: true })
  const check = (onto: LakeState) => refuseBehind(at, onto)
  await main.commit(at, { branches: { [name]: id } }, info, { seen: true, check })
  await carryLate(states, at, branch, info)
  return { at: at.number, before, kept, dropped }
}

/** One that stays until it is deleted is as old as what it has that main has not. */
function lifeFrom({ branch, fork, head }: BranchStates, at: LakeState): Life {
  const { ttl, created } = branch.forked ?? {}
  const now = new Date().toISOString()
  if (ttl !== undefined) return { created: now, ttl }
  const isAhead = namesOf(leftOf(ownChanges({ fork, head }), at)).length > 0
  return { created: (isAhead ? created : undefined) ?? now }
}

/**
 * What would be seen on a branch that is brought to a state of main: its own tables, and all else
 * of main. That state itself, where there is no branch of that name.
 */
export async function asRefreshed(
  main: CommitLog,
  name: string,
  at: LakeState,
): Promise<LakeState> {
  if (ownValue(at.branches, name) === undefined) return at
  const states = await statesOf(await openNamed(main, name))
  const isBehind = !isEmpty(changesTo(states.fork, at))
  const own = isBehind ? carriedTo(states, at).carried : ownChanges(states)
  const known = states.head.definitions ?? {}
  const definitions = Object.entries({ ...own.tables, ...own.views }).flatMap(([table, made]) => {
    const by = made ? known[table] : undefined
    return by ? [[table, by] as const] : []
  })
  return {
    ...at,
    tables: merged(at.tables, own.tables),
    ...(at.views || states.head.views ? { views: merged(at.views ?? {}, own.views) } : {}),
    offsets: merged(at.offsets, own.offsets),
    ...(definitions.length > 0
      ? { definitions: { ...at.definitions, ...Object.fromEntries(definitions) } }
      : {}),
    ...foldExternal(at.external, own.external),
  }
}

/**
 * What was committed to the branch of before while the other one was made.
 *
 * @throws MoraineError of kind `conflict` where other engines have changed there what main had
 *   changed as well.
 */
async function carryLate(states: BranchStates, at: LakeState, to: CommitLog, info: CommitInfo) {
  const { branch: old, head: seen } = states
  const late = await old.head()
  if (late.number === seen.number) return
  // It may have read batches that main had taken back by then.
  const { carried } = carriedTo({ ...states, head: late }, at)
  const { tables, views, offsets, external } = ownChanges({ fork: seen, head: late })
  const made = new Set([tables, views, offsets].flatMap((of) => Object.keys(of).map(nameOf)))
  const both = bothWrote({ ...states, head: late }, at)
  const changes = {
    ...pick(carried, (name) => made.has(name)),
    ...(external && both.length === 0 ? { external } : {}),
    ...ownIntake(late, await to.head()),
  }
  if (!isEmpty(changes)) await to.commit(await to.head(), changes, info, { seen: true })
  if (both.length === 0) return
  throw new MoraineError(
    'conflict',
    `Other engines have changed ${both.join(', ')} while the branch was brought to commit ${at.number} of main, which has changed the same`,
    { hint: 'The branch has what main has there, without these changes: write them again.' },
  )
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
  const sources = Object.keys(ownSourcesIn(states.head))
  const names = new Set([own.tables, own.views, own.offsets].flatMap((of) => Object.keys(of)))
  // Main builds no such rows, whatever it has built by the same definition.
  const apart = readersIn(states.head, sources)
  const hasMade = (name: string) => name in own.tables || name in own.views
  const left = [...new Set([...names].map(nameOf))].filter(
    (name) =>
      isGone(name, states, main) ||
      !canGoOn(name, states, main) ||
      hasAdopted(name, states, main) ||
      (!apart.has(name) &&
        (hasMade(name) ? hasBuiltSame(name, states, main) : hasMoved(name, states, main))),
  )
  const { external } = own
  const kept = pick(own, (name) => !left.includes(name))
  const others = withoutTables(main, readersIn(main, sources))
  const carried = {
    ...kept,
    tables: { ...others.tables, ...kept.tables },
    offsets: { ...others.offsets, ...kept.offsets },
  }
  // Where nothing was made, nothing is to be built again.
  const dropped = left.filter(hasMade)
  return { carried: { ...carried, ...(external ? { external } : {}) }, dropped }
}

/** What changes do to some datasets, and to the tables that go with these. */
function pick({ tables, views, offsets }: OwnChanges, isPicked: (name: string) => boolean) {
  const picked = <T>(of: Record<string, T>) =>
    Object.fromEntries(Object.entries(of).filter(([name]) => isPicked(nameOf(name))))
  return { tables: picked(tables), views: picked(views), offsets: picked(offsets) }
}

/**
 * Whether main has all batches that a table of a branch was made of, as they were, and all that
 * come behind these.
 */
function canGoOn(name: string, { head }: BranchStates, main: LakeState): boolean {
  return Object.entries(head.offsets[name] ?? {}).every(
    ([input, seen]) =>
      typeof seen !== 'number' ||
      input in ownSourcesIn(head) ||
      (hasAllOf(input, seen, head, main) && !hasLetGo(input, seen, main)),
  )
}

/**
 * Whether other engines have changed rows of main's table since the branch left it: a build of all
 * rows drops these, and needs to be told so.
 */
function hasAdopted(name: string, { fork }: BranchStates, main: LakeState): boolean {
  const of = ({ tables }: LakeState) => {
    const { added = 0, removed = 0 } = tables[name]?.adopted ?? {}
    return added + removed > 0 ? `${added} ${removed}` : undefined
  }
  return of(main) !== undefined && of(main) !== of(fork)
}

/** Whether main had a dataset when the branch left it, and has it no more: under that name. */
function isGone(name: string, { fork }: BranchStates, main: LakeState): boolean {
  const has = ({ tables, views }: LakeState) => name in tables || name in (views ?? {})
  return has(fork) && !has(main)
}

/**
 * Whether main has another version of a dataset than the branch, which has read batches for it and
 * found nothing there: how far it has read goes with the version that it left alone.
 */
function hasMoved(name: string, { fork }: BranchStates, main: LakeState): boolean {
  const of = ({ tables, views, offsets }: LakeState) =>
    JSON.stringify([tables[name], views?.[name], offsets[name]])
  return of(fork) !== of(main)
}

/** Whether main has built a table by the same definition since the branch left it. */
function hasBuiltSame(name: string, { fork, head }: BranchStates, main: LakeState): boolean {
  const [before, own, now] = [fork, head, main].map(({ tables }) => tables[name])
  if (!own || !now || [own.metadata, before?.metadata].includes(now.metadata)) return false
  const text = ({ definition }: TableState) => JSON.stringify(Object.entries(definition).sort())
  return text(own) === text(now)
}
