import type { Command } from 'commander'
import { secondsOf } from '../../define/interval.js'
import type { Lake } from '../../define/lake.js'
import type { Environment } from '../../define/options/environments.js'
import {
  leaveInboxes,
  type OwnSources,
  ownSourcesOf,
  replaceSources,
} from '../../define/options/own-sources.js'
import { fullName } from '../../define/sql/name.js'
import { MoraineError } from '../../errors.js'
import { Lakehouse } from '../../load/lakehouse.js'
import { isSameRoot, type OpenOptions, resolvedRoot, rootOf, rootsIn } from '../../load/root.js'
import type { CommitLog } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import { variable } from '../../settings.js'
import { currentUser } from '../../step/context.js'
import type { RetryingStorage } from '../../storage/retrying.js'
import { branchFor, isOfOneBranch } from './branch-for.js'
import { ensureBranch } from './ensure-branch.js'
import { branchOf, nameIn } from './environment-branch.js'

/** Options of all commands that say where they work. */
interface PlaceOptions {
  root?: string
  branch?: string
  env?: string
}

/** Where a lake lies. */
interface Place {
  root: string
  /** What works on it there, on the branch that is meant. */
  house: Lakehouse<RetryingStorage>
  /** What is left to the lake itself there, and how it is had. */
  left: Left
}

/** What an environment does not do that is seen outside of its lake, each in a sentence or two. */
export interface Left {
  exports?: string
  alerts?: string
  inboxes?: string
}

/** Where a command works on a lake. */
export async function placed(
  command: Command,
  lake: Lake,
  { folder, patience, staging }: Required<Pick<OpenOptions, 'folder'>> & OpenOptions,
): Promise<Place> {
  const options = command.optsWithGlobals<PlaceOptions>()
  const env = environmentOf(lake, options.env)
  const own = env?.root === undefined ? undefined : resolvedRoot(env.root, folder)
  const root = options.root ?? own ?? rootOf(lake, folder)
  const opening = { patience, ...(staging ? { staging } : {}) }
  const sources = env && ownSourcesOf(env, lake.datasets)
  if (sources?.size && !isOnBranch(env, options.env)) {
    refuseMain(lake, options.env, { folder, root: own && root })
    if (command.name() === 'export') throw notExported(options.env)
    replaceSources(lake, sources)
  }
  const isApart = own !== undefined && !isSameRoot(root, rootOf(lake, folder))
  const left = env && isApart ? leaveToMain(command, lake, env, options.env) : {}
  const house = Lakehouse.at(root, opening)
  // Where another root is said, the environment's branch there is meant all the same.
  return { root, house: await onBranch(command, house, { env, sources }), left }
}

/**
 * Leaves to the lake itself what is seen outside of it: rows of a trial beside would come among
 * those that warehouses have, its failures among those that people are told of, and files of an
 * inbox would be gone from there. What is deployed does as lake.ts says.
 */
function leaveToMain(
  command: Command,
  lake: Lake,
  { exports, alerts, inboxes }: Environment,
  env: string | undefined,
): Left {
  if (command.name() === 'deploy') return {}
  const apart = `Environment '${env}' has a root of its own, and`
  const add = (option: string) => `add ${option}: true to it in lake.ts`
  const left: Left = {}
  const own: { exports: readonly unknown[]; alerts: readonly unknown[] } = lake
  if (!exports && lake.exports.length > 0) {
    const what = `${apart} exports nothing`
    const hint = `If warehouses should have its tables, ${add('exports')}`
    if (command.name() === 'export') throw new MoraineError('usage', what, { hint })
    own.exports = []
    left.exports = `${what}. ${hint}.`
  }
  if (!alerts && lake.alerts.length > 0) {
    own.alerts = []
    left.alerts = `${apart} sends no alerts. If people should get them, ${add('alerts')}.`
  }
  const emptied = inboxes ? [] : leaveInboxes(lake.datasets)
  if (emptied.length > 0) {
    const names = emptied.map(fullName).join(', ')
    left.inboxes = `${apart} takes no files from the ${emptied.length === 1 ? 'inbox' : 'inboxes'} of ${names}. If it should, ${add('inboxes')}.`
  }
  return left
}

/** Whether an environment works apart from main, on a branch. */
const isOnBranch = (env: Environment | undefined, name: string | undefined) =>
  ![undefined, 'main'].includes(env && branchOf(env, name, currentUser())?.name)

/** The environment that is named, where its sources are what is read. */
export function readEnvironment(
  lake: Lake,
  name: string | undefined,
  { ownSources }: Lakehouse,
): string | undefined {
  const env = environmentOf(lake, name)
  return env?.sources && (ownSources.size > 0 || !isOnBranch(env, name)) ? name : undefined
}

/**
 * Rows of other sources would come among those of main: where lake.ts says that the lake lies, or
 * in that of an environment which reads the datasets' own sources.
 */
function refuseMain(
  lake: Lake,
  env: string | undefined,
  { folder, root }: { folder: string; root: string | undefined },
): void {
  const isMain = (name: string | undefined) => {
    const other = name === undefined ? undefined : lake.environments[name]
    return !other?.sources || isOnBranch(other, name)
  }
  const same = rootsIn(lake, folder).find(
    (one) => isMain(one.env) && (root === undefined || isSameRoot(root, one.root)),
  )
  if (!same) return
  const why = root === undefined ? 'neither a branch nor a root' : `its root is that of ${same.by}`
  throw new MoraineError(
    'usage',
    `Environment '${env}' has sources, but ${why}: their rows would come into main`,
    { hint: 'Give it a branch, or another root.' },
  )
}

const notExported = (env: string | undefined) =>
  new MoraineError('usage', `Environment '${env}' has sources of its own, and exports nothing`, {
    hint: 'Warehouses have the rows of the lake itself: moraine export',
  })

/** A lake as it is on the branch that a command is on. */
export async function onBranch(
  command: Command,
  house: Lakehouse<RetryingStorage>,
  { env, sources }: { env?: Environment | undefined; sources?: OwnSources | undefined } = {},
): Promise<Lakehouse<RetryingStorage>> {
  const { branch: said, env: name } = command.optsWithGlobals<PlaceOptions>()
  const own =
    env && isOfOneBranch(command.name()) ? await ownBranch(house.log, env, name) : undefined
  const branch = branchFor(command.name(), said, own ?? variable('MORAINE_BRANCH'))
  if (branch === undefined) return house
  // A run is the first that has something to do there.
  if (branch !== own)
    return house.onBranch(branch).catch((error) => {
      throw said === undefined ? byVariable(error, branch) : error
    })
  if (command.name() === 'run') {
    const seconds = env?.ttl === undefined ? undefined : secondsOf(env.ttl)
    await ensureBranch(house.log, branch, seconds === undefined ? undefined : seconds * 1000)
  } else if (ownValue((await house.log.head()).branches, branch) === undefined)
    throw new MoraineError('usage', `There is no branch ${branch} of environment '${name}' yet`, {
      hint: `Create it with: moraine run --env ${name}`,
    })
  return house.onBranch(branch, sources)
}

/** An error about a branch that no option of the command names. */
export function byVariable(error: unknown, branch: string): unknown {
  if (!(error instanceof MoraineError) || error.kind !== 'usage') return error
  const hint = [`MORAINE_BRANCH is set to ${branch}.`, error.hint].join(' ').trim()
  return new MoraineError('usage', error.message, { hint, cause: error })
}

/** The branch that an environment is for this user. */
async function ownBranch(main: CommitLog, env: Environment, name: string | undefined) {
  const user = currentUser()
  const made = branchOf(env, name, user)
  return made && nameIn(main, made, user)
}

/** The branch of the environment that a command names, for what is about all branches. */
export async function branchOfEnv(command: Command, lake: Lake, main: CommitLog) {
  const { env: name } = command.optsWithGlobals<PlaceOptions>()
  const env = environmentOf(lake, name)
  return env && ownBranch(main, env, name)
}

/**
 * The environment that `--env` names.
 *
 * @throws MoraineError of kind `usage` where `lake.ts` has none of that name.
 */
function environmentOf({ environments }: Lake, name?: string): Environment | undefined {
  if (name === undefined) return undefined
  const found = ownValue(environments, name)
  if (found) return found
  const names = Object.keys(environments)
  throw new MoraineError('usage', `lake.ts has no environment '${name}'`, {
    hint:
      names.length > 0
        ? `Its environments are: ${names.join(', ')}`
        : "Add one: defineLake({ environments: { dev: { branch: (user) => 'dev-' + user } }, … })",
  })
}
