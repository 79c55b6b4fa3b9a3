import type { Command } from 'commander'
import { secondsOf } from '../../define/interval.js'
import type { Lake } from '../../define/lake.js'
import { branchOfEnvironment, type Environment } from '../../define/options/environments.js'
import { type OwnSources, ownSourcesOf, replaceSources } from '../../define/options/own-sources.js'
import { MoraineError } from '../../errors.js'
import { Lakehouse } from '../../load/lakehouse.js'
import { isSameRoot, type OpenOptions, resolvedRoot, rootOf, rootsIn } from '../../load/root.js'
import { createBranch } from '../../log/branch/named.js'
import type { CommitLog } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import { variable } from '../../settings.js'
import { currentUser } from '../../step/context.js'
import type { RetryingStorage } from '../../storage/retrying.js'
import { branchFor } from './branch-for.js'

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
  /** Why none of its exports are done there. */
  unexported: string | undefined
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
  if (sources?.size && !isOnBranch(env)) {
    refuseMain(lake, options.env, { folder, root: own && root })
    if (command.name() === 'export') throw notExported(options.env)
    replaceSources(lake, sources)
  }
  const isApart = own !== undefined && !env?.exports && !isSameRoot(root, rootOf(lake, folder))
  const unexported = isApart ? leaveExports(command, lake, options.env) : undefined
  const house = Lakehouse.at(root, opening)
  // Where another root is said, the environment's branch there is meant all the same.
  return { root, house: await onBranch(command, house, env, sources), unexported }
}

/**
 * Leaves warehouses to the lake itself: rows of a trial beside it would come among those that
 * others read. What is deployed exports as lake.ts says.
 */
function leaveExports(command: Command, lake: Lake, env: string | undefined): string | undefined {
  if (lake.exports.length === 0 || command.name() === 'deploy') return undefined
  const what = `Environment '${env}' has a root of its own, and exports nothing`
  const hint = `If warehouses should have its tables, add exports: true to it in lake.ts`
  if (command.name() === 'export') throw new MoraineError('usage', what, { hint })
  const left: { exports: readonly unknown[] } = lake
  left.exports = []
  return `${what}. ${hint}.`
}

/** Whether an environment works apart from main, on a branch. */
const isOnBranch = (env: Environment | undefined) =>
  ![undefined, 'main'].includes(env && branchOfEnvironment(env, currentUser()))

/** The environment that is named, where its sources are what is read. */
export function readEnvironment(
  lake: Lake,
  name: string | undefined,
  { ownSources }: Lakehouse,
): string | undefined {
  const env = environmentOf(lake, name)
  return env?.sources && (ownSources.size > 0 || !isOnBranch(env)) ? name : undefined
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
    return !other?.sources || isOnBranch(other)
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
  env?: Environment,
  sources?: OwnSources,
): Promise<Lakehouse<RetryingStorage>> {
  const own = env && branchOfEnvironment(env, currentUser())
  const said = command.optsWithGlobals<PlaceOptions>().branch
  const branch = branchFor(command.name(), said, own ?? variable('MORAINE_BRANCH'))
  if (branch === undefined) return house
  // A run is the first that has something to do there.
  if (branch === own && command.name() === 'run') await ensureBranch(house.log, branch, env?.ttl)
  return house.onBranch(branch, branch === own ? sources : undefined)
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

/** Creates a branch where there is none of that name. */
async function ensureBranch(main: CommitLog, name: string, ttl: string | undefined): Promise<void> {
  const head = await main.head()
  if (ownValue(head.branches, name) !== undefined) return
  const seconds = ttl === undefined ? undefined : secondsOf(ttl)
  const life = {
    created: new Date().toISOString(),
    ...(seconds === undefined ? {} : { ttl: seconds * 1000 }),
  }
  await createBranch(main, name, head, { author: currentUser(), run: null, life })
}
