import { randomBytes } from 'node:crypto'
import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
import type { CommitInfo, LakeState } from '../commit.js'
import type { CommitLog } from '../log.js'
import { behind } from '../reader.js'
import type { Life } from './fork.js'
import { isRunBranch } from './run-branch-names.js'

/** Words that stand in addresses of a catalog where a branch would. */
const RESERVED = ['main', 'namespaces', 'tables', 'views', 'transactions', 'config', 'oauth']

/** Who creates or deletes a branch. */
type Author = Omit<CommitInfo, 'message'>

/**
 * Makes sure that a name can be one of a branch: all engines take it in the name of a namespace,
 * also those that know no capitals.
 *
 * @throws MoraineError of kind `usage`.
 */
function checkedBranchName(name: string): string {
  if (/^[0-9]+$/.test(name))
    throw new MoraineError('usage', `A branch can't be called ${name}: numbers are commits`, {
      hint: `Add a letter, such as: pr-${name}`,
    })
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name) && !RESERVED.includes(name)) return name
  throw new MoraineError('usage', `${JSON.stringify(name)} can't be the name of a branch`, {
    hint: RESERVED.includes(name)
      ? 'It has a meaning of its own: choose another name.'
      : 'Write 1 to 63 lower-case letters, digits, _ and -, beginning with a letter or a digit.',
  })
}

/**
 * Creates a branch that starts at a state of main, under a name. What is committed to it is seen by
 * those who ask for it alone.
 *
 * @throws MoraineError of kind `usage` where there is one of that name, or the state is not whole
 *   any more.
 */
export async function createBranch(
  main: CommitLog,
  name: string,
  at: LakeState,
  { life, ...author }: Author & { life?: Life },
): Promise<CommitLog> {
  checkedBranchName(name)
  const info = { ...author, message: `create branch ${name} at commit ${at.number}` }
  return namedBranch(main, { name, at, info, ...(life ? { life } : {}) })
}

/**
 * The branch of a name.
 *
 * @throws MoraineError of kind `usage` where there is none.
 */
export async function openNamed(main: CommitLog, name: string): Promise<CommitLog> {
  const state = await main.head()
  const id = isRunBranch(name) ? undefined : ownValue(state.branches, name)
  if (id === undefined) throw noSuchBranch(name, state)
  const branch = await main.openBranch(id)
  if (branch) return branch
  throw new MoraineError('corrupt', `Branch ${name} is damaged: it has no beginning`, {
    hint: 'moraine verify shows what is missing.',
  })
}

/**
 * Gives a branch another name; its id, and all that is on it, stay.
 *
 * @throws MoraineError of kind `usage` where there is none of the one name, or one of the other.
 */
export async function renameBranch(
  main: CommitLog,
  name: string,
  to: string,
  author: Author,
): Promise<void> {
  checkedBranchName(to)
  const state = await main.head()
  const id = isRunBranch(name) ? undefined : ownValue(state.branches, name)
  if (id === undefined) throw noSuchBranch(name, state)
  if (ownValue(state.branches, to) !== undefined) throw alreadyThere(to)
  const info = { ...author, message: `rename branch ${name} to ${to}` }
  await main.commit(state, { branches: { [name]: null, [to]: id } }, info)
}

const alreadyThere = (name: string) =>
  new MoraineError('usage', `There already is a branch ${name}`)

/** Ids are never used again: who still knows the id of a deleted branch finds no other one. */
export const idOf = (name: string): string => `${name}.${randomBytes(6).toString('hex')}`

/** A branch that is to be created. */
interface NewBranch {
  name: string
  at: LakeState
  info: CommitInfo
  life?: Life
  /** Names of branches that nobody needs any more: they go with the same commit. */
  ended?: readonly string[]
  /** The branch's id, which no other one has had; random digits behind its name without it. */
  id?: string
}

/** The same for any name, with words of its own for the history. */
export async function namedBranch(
  main: CommitLog,
  { name, at, info, life, ended = [], id = idOf(name) }: NewBranch,
): Promise<CommitLog> {
  if (main.branch !== 'main')
    throw new MoraineError('usage', 'A branch can only be created from main', {
      hint: 'Steps that another engine computes need a branch of their own, so they run on main alone. Leave out --engine, or --branch.',
    })
  const state = await main.head()
  if (ownValue(state.branches, name) !== undefined) throw alreadyThere(name)
  const branch = await main.fork(id, at, life)
  const gone = Object.fromEntries(ended.map((one) => [one, null]))
  // A vacuum passes over a branch that has no name yet. One that has moved the horizon comes before
  // the name in main's log, or finds it.
  const check = (onto: LakeState) => refuseBehind(at, onto)
  await main.commit(state, { branches: { ...gone, [name]: id } }, info, { check })
  return branch
}

/** @throws MoraineError of kind `usage` where a vacuum has removed files of a state. */
export function refuseBehind({ number }: LakeState, { horizon = 0 }: LakeState): void {
  if (number < horizon) throw behind(number, horizon)
}

/**
 * Deletes a branch: nobody sees its commits any more, and vacuum removes what they alone lead to.
 *
 * @throws MoraineError of kind `usage` where there is none of that name.
 */
export async function deleteBranch(
  main: CommitLog,
  name: string,
  { author, run }: Author,
): Promise<void> {
  const state = await main.head()
  if (ownValue(state.branches, name) === undefined) throw noSuchBranch(name, state)
  const info = { author, run, message: `delete branch ${name}` }
  await main.commit(state, { branches: { [name]: null } }, info)
}

export function noSuchBranch(name: string, { branches = {} }: LakeState): MoraineError {
  const names = Object.keys(branches).filter((one) => !isRunBranch(one))
  const message = name === 'main' ? 'main is the lake itself' : `There is no branch ${name}`
  return new MoraineError('usage', message, {
    hint:
      names.length > 0
        ? `${name === 'main' ? 'Name another branch. ' : ''}There are: ${names.join(', ')}`
        : 'Create one with: moraine branch create NAME',
  })
}
