import { MoraineError } from '../../errors.js'
import { openNamed } from '../../log/branch/named.js'
import type { LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import { parsePoint } from '../../log/point.js'
import { ownValue } from '../../own-value.js'
import type { Side } from './diff.js'

/** One side of a comparison: a state of the lake on a branch. */
export interface SideState {
  side: Side
  log: CommitLog
  state: LakeState
}

export interface Range {
  before: SideState
  after: SideState
}

const HINT =
  'Write two sides: main..dev, 12..main, 2026-01-31..main, dev@14..dev. A branch alone is compared with where it left main.'

/**
 * What a range means: `A..B`, each a branch, a commit or a time of main, or `branch@commit`;
 * `A...B` begins where B left A, and so does `B` alone where it is a branch. A commit or a time
 * alone is compared with main.
 *
 * @returns `undefined` for what is no range.
 * @throws MoraineError of kind `usage` for sides that are not there.
 */
export async function rangeOf(main: CommitLog, text: string): Promise<Range | undefined> {
  const [, from, dots, to] = /^([^.].*?)?(\.\.\.?)([^.].*)?$/.exec(text) ?? []
  if (dots === undefined) return alone(main, text)
  if (!from && !to) throw new MoraineError('usage', `${text} has no sides`, { hint: HINT })
  const after = await sideOf(main, to ?? 'main')
  if (dots === '...') return { before: await forkOf(after), after }
  return { before: await sideOf(main, from ?? 'main'), after }
}

async function alone(main: CommitLog, text: string): Promise<Range | undefined> {
  const side = await find(main, text)
  if (!side) return undefined
  if (text === 'main')
    throw new MoraineError('usage', 'main alone would be compared with itself', {
      hint: 'Name another side, such as a branch or a commit: moraine diff dev, moraine diff 12..main',
    })
  if (side.log !== main) return { before: await forkOf(side), after: side }
  return { before: side, after: await sideOf(main, 'main') }
}

/** A branch, and the state that it left. */
export async function forkRange(main: CommitLog, branch: string): Promise<Range> {
  const after = await sideOf(main, branch)
  return { before: await forkOf(after), after }
}

/** The state that a branch left. */
async function forkOf({ log, side }: SideState): Promise<SideState> {
  const { forked } = log
  if (!forked)
    throw new MoraineError('usage', `${side.name} is main, which has left no other branch`, {
      hint: HINT,
    })
  const state = await log.stateAt(forked.number)
  return { log, state, side: said('main', state) }
}

/**
 * Why the state that a branch left can't be compared with, where that is because vacuum has removed
 * files of it since.
 */
export async function goneSide(
  error: unknown,
  { before: { log, state }, after }: Range,
): Promise<MoraineError | undefined> {
  const isFile = error instanceof MoraineError && ['corrupt', 'storage'].includes(error.kind)
  if (!isFile || error.retryable) return undefined
  const { horizon = 0 } = await log.main.head()
  if (log === log.main || state.number > log.forkedAt || state.number >= horizon) return undefined
  const [name] = after.side.name.split('@')
  return new MoraineError(
    'usage',
    `Commit ${state.number}, at which branch ${name} starts, is no longer visible: vacuum --history has removed some of its files`,
    {
      hint: `Compare the branch with main as it is now: moraine diff main..${name}. Or start it at that: moraine branch refresh ${name}`,
    },
  )
}

async function sideOf(main: CommitLog, text: string): Promise<SideState> {
  const found = await find(main, text)
  if (found) return found
  const { branches = {} } = await main.head()
  const names = ['main', ...Object.keys(branches)].join(', ')
  throw new MoraineError('usage', `'${text}' is neither a branch, a commit nor a time`, {
    hint: `${HINT} The branches are: ${names}`,
  })
}

async function find(main: CommitLog, text: string): Promise<SideState | undefined> {
  const { branches } = await main.head()
  const [, branch = text, at] = /^([^@]*)@(.*)$/s.exec(text) ?? []
  const isBranch = branch === 'main' || ownValue(branches, branch) !== undefined
  const log = !isBranch || branch === 'main' ? main : await openNamed(main, branch)
  const point = parsePoint(isBranch ? (at ?? '') : text)
  if (point === undefined) {
    if (!isBranch || at !== undefined) return undefined
    const state = await log.head()
    return { log, state, side: said(text, state) }
  }
  const state = await log.visibleAt(point)
  return { log, state, side: said(text, state) }
}

const said = (name: string, { number, hash, time }: LakeState): Side => {
  return { name, commit: number, hash, time }
}
