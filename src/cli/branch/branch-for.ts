import { MoraineError } from '../../errors.js'
import { variable } from '../../settings.js'

/** Commands that read or build the lake as it is on a branch. */
const onBranches = new Set([
  ...['plan', 'run', 'replay', 'status', 'history', 'query', 'preview', 'discarded', 'profile'],
  ...['catalog', 'rollback', 'bisect', 'why'],
])

/** Commands that are for main alone, as what they do is seen outside of the lake, or is intake. */
const onMain = new Set([
  ...['serve', 'schedule', 'export', 'project', 'rebuild', 'quarantine', 'discard-batch'],
  ...['rename', 'drop', 'optimize'],
])

/**
 * Athena sees main alone, and lake.ts has no branches.
 *
 * @throws MoraineError of kind `usage` for what a query can be asked for on main alone.
 */
export function refuseQueryOn(branch: string | undefined): void {
  if (branch === undefined) return
  throw new MoraineError(
    'usage',
    `--save-as and --on are for main alone, and not for branch ${branch}`,
    { hint: 'Add: --branch main' },
  )
}

/** Whether a command is on a branch, or refuses to be: all others are of the whole lake. */
export const isOfOneBranch = (command: string): boolean =>
  onBranches.has(command) || onMain.has(command)

/**
 * The branch that a command is on: what `--branch` says, or else MORAINE_BRANCH; `undefined` for
 * main. All other commands are of the whole lake: MORAINE_BRANCH means nothing to them.
 *
 * @throws MoraineError of kind `usage` for a command that can't be on it.
 */
export function branchFor(
  command: string,
  option: string | undefined,
  env: string | undefined = variable('MORAINE_BRANCH'),
): string | undefined {
  const isOfAll = !isOfOneBranch(command)
  const branch = option ?? (isOfAll ? undefined : env)
  if (branch === undefined || branch === 'main') return undefined
  if (onBranches.has(command)) return branch
  if (isOfAll)
    throw new MoraineError('usage', `moraine ${command} takes no --branch`, {
      hint: 'It is about the whole lake, with all of its branches. Leave --branch out.',
    })
  const hint =
    option === undefined
      ? `The branch is ${branch}, by MORAINE_BRANCH or --env. For main, write: moraine ${command} --branch main`
      : 'Leave --branch out.'
  throw new MoraineError('usage', `moraine ${command} is for main alone, and not for a branch`, {
    hint,
  })
}
