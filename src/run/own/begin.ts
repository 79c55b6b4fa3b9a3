import { fullName } from '../../define/dataset.js'
import { inputsOf } from '../../define/inputs.js'
import type { Lake } from '../../define/lake.js'
import type { OwnSource, OwnSources } from '../../define/options/own-sources.js'
import { MoraineError } from '../../errors.js'
import { beginAnew, ownSourcesIn, readersIn, withoutTables } from '../../log/branch/own-sources.js'
import { REVIEW } from '../../log/branch/standing.js'
import type { Changes, LakeState, OwnSourceState } from '../../log/commit.js'
import { isEmpty } from '../../log/fold.js'
import type { CommitLog } from '../../log/log.js'
import { merged } from '../../log/maps.js'
import { hash, type RunContext } from '../../step/context.js'

/** A branch with datasets that are read from elsewhere, before anything is read of them. */
interface Begun {
  /** What has to be committed first; `undefined` where that was done. */
  changes: Changes | undefined
  /** The branch's state with it. */
  state: LakeState
}

/** What works on a branch, and what its environment says of sources. */
interface OnBranch {
  lake: Lake
  log: Pick<CommitLog, 'branch' | 'forkedAt' | 'stateAt'>
  branch: string | undefined
  ownSources: OwnSources
}

/**
 * Lets datasets begin anew that an environment reads from elsewhere than before: without main's
 * batches, and without the tables that were built of these. Tables of main that have come to the
 * branch since, and read such datasets, go as well.
 *
 * @throws MoraineError of kind `usage` on main, and on the branch of reviews.
 */
export async function beginOwn(
  { lake, log, branch, ownSources }: OnBranch,
  state: LakeState,
): Promise<Begun> {
  refuseElsewhere(branch, ownSources)
  if (branch === undefined) return { changes: undefined, state }
  const known = ownSourcesIn(state)
  const others = Object.fromEntries(
    [...ownSources]
      .map(([name, own]) => [name, stateOf(own)] as const)
      .filter(([name, { sha256 }]) => known[name]?.sha256 !== sha256),
  )
  const fresh = Object.keys(others)
  const all = [...Object.keys(known), ...fresh]
  if (all.length === 0) return { changes: undefined, state }
  const gone = new Set([
    ...readersOf(lake, fresh),
    ...readersIn(state, fresh),
    ...(await ofMain(log, state, new Set([...readersOf(lake, all), ...readersIn(state, all)]))),
  ])
  const own: Changes = {
    ...withoutTables(state, gone),
    ...(fresh.length > 0 ? beginAnew(state, others) : {}),
  }
  if (isEmpty(own)) return { changes: undefined, state }
  return { changes: own, state: seenWith(state, own) }
}

/** The state that a run builds on, once datasets have begun anew on its branch. */
export async function withOwnSources(
  {
    lake,
    log,
    branch,
    author,
    run,
  }: Pick<RunContext, 'lake' | 'log' | 'branch' | 'author' | 'run'>,
  ownSources: OwnSources | undefined,
  state: LakeState,
): Promise<LakeState> {
  const { changes } = await beginOwn(
    { lake, log, branch, ownSources: ownSources ?? new Map() },
    state,
  )
  if (!changes) return state
  const names = Object.keys(changes.ownSources ?? {})
  const message =
    names.length > 0
      ? `read ${names.join(', ')} from other sources here`
      : 'leave tables out that were built of rows of other sources'
  return log.commit(state, changes, { author, run, message }, { seen: true })
}

function refuseElsewhere(branch: string | undefined, ownSources: OwnSources): void {
  if (ownSources.size === 0) return
  const names = [...ownSources.keys()].join(', ')
  if (branch === undefined)
    throw new MoraineError('usage', `Other sources for ${names} would be read into main`, {
      hint: 'Give the environment a branch, or a root of its own.',
    })
  if (branch === REVIEW)
    throw new MoraineError(
      'usage',
      `${names} can't be read from other sources on branch ${REVIEW}: it is published`,
      { hint: "Give the environment another branch: { branch: (user) => 'dev-' + user }" },
    )
}

function stateOf({ from, sample, identity }: OwnSource): OwnSourceState {
  const sha256 = hash(identity)
  return { from, ...(sample === undefined ? {} : { sample }), sha256 }
}

/** Datasets that read some others, directly or not, as the definition says. */
function readersOf({ datasets }: Lake, names: readonly string[]): Set<string> {
  const read = new Set(names)
  for (const dataset of datasets)
    if (inputsOf(dataset).some((input) => read.has(fullName(input)))) read.add(fullName(dataset))
  return new Set([...read].filter((name) => !names.includes(name)))
}

/** Those whose tables are main's own. */
async function ofMain(
  log: OnBranch['log'],
  { tables }: LakeState,
  names: ReadonlySet<string>,
): Promise<string[]> {
  const fork = await log.stateAt(log.forkedAt)
  return [...names].filter(
    (name) => tables[name] && tables[name].metadata === fork.tables[name]?.metadata,
  )
}

/** As the branch will be, for who only plans. */
function seenWith(
  state: LakeState,
  { tables, offsets, watermarks, cut = {}, expire = {}, ownSources }: Changes,
): LakeState {
  const none = Object.fromEntries(Object.keys(cut).map((name) => [name, []]))
  return {
    ...state,
    tables: merged(state.tables, tables),
    offsets: merged(state.offsets, offsets),
    watermarks: merged(state.watermarks, watermarks),
    batches: { ...state.batches, ...none },
    ...(state.expired ? { expired: { ...state.expired, ...expire } } : {}),
    ownSources: merged(state.ownSources ?? {}, ownSources),
  }
}
