import { MoraineError } from '../../errors.js'
import { lakeCost } from '../prices/lake-cost.js'
import type { OlderFolders } from '../template/jobs/rights.js'
import { deployedJobs } from '../template/jobs.js'
import { jobId, ownFunctions } from '../template/names.js'
import { template } from '../template/template.js'
import { codeKey } from './cloud/shelf.js'
import type { LakeDeployment } from './lake-deployment.js'
import { deployedLake, lakeOf } from './plan/definitions.js'
import { type DeployPlan, planDeployment } from './plan/plan.js'
import { plannedSizes } from './plan/planned-sizes.js'
import { prepared } from './plan/prepare.js'
import type { Stack } from './plan/stack.js'
import { EMPTIED } from './plan/whose.js'
import type { Before } from './survey.js'

/** The stacks as they are to be. */
export function stacksFor(of: LakeDeployment): Stack[] {
  const { lake, deploy, before, account } = of
  const olderFolders = of.known.olderFolders ?? deployedFolders(before)
  const placed = new Map<string, string>()
  for (const name of [...deployedJobs(lake).map((job) => job.name), ...ownFunctions]) {
    const id = `${jobId({ name })}Function`
    const home = before.find(({ template: found }) => id in (found?.Resources ?? {}))
    if (home) placed.set(name, home.name)
  }
  const { stacks } = template(lake, deploy, { placed, sizes: sizesOf(of), olderFolders })
  refuseTaken(of, stacks)
  const place = account === undefined ? undefined : { account, region: deploy.region }
  const all = [...stacks, ...emptied(before, stacks)]
  return prepared(all, before, deployedLake(lake, deploy, olderFolders), place)
}

/** Where objects lay when the lake was deployed, for who can't look at it. */
function deployedFolders(before: readonly Before[]): OlderFolders {
  const lakes = before.map(({ template: found }) => lakeOf(found)?.olderFolders)
  return new Map(Object.entries(lakes.find((folders) => folders !== undefined) ?? {}))
}

/**
 * Stacks that are there, and that no job needs any more. They stay, as those behind them are found
 * by their numbers.
 */
function emptied(before: readonly Before[], needed: readonly { name: string }[]): Stack[] {
  return before
    .filter((one) => one.template && !needed.some(({ name }) => name === one.name))
    .map(({ name }) => ({ name, phase: 'rest', template: EMPTIED, parameters: [] }))
}

/** @throws MoraineError of kind `usage` where another lake has a stack of a name that is needed. */
function refuseTaken({ taken, prefix }: LakeDeployment, stacks: readonly { name: string }[]): void {
  const name = stacks.find((one) => taken.includes(one.name))?.name
  if (name === undefined) return
  throw new MoraineError('usage', `Stack ${name} is there already, and is not this lake's`, {
    hint: `Nothing was changed. Give this lake a name that no other stack begins with: aws({ name: '${prefix}-lake' })`,
  })
}

const sizesOf = ({ lake, known, before }: LakeDeployment) =>
  plannedSizes(
    lake,
    known.tables,
    before.map(({ template: found }) => found),
  )

/** What a deployment would do. Without a package, the code that is there counts as the same. */
export function planFor(
  of: LakeDeployment,
  stacks: readonly Stack[],
  content: string | undefined,
): DeployPlan {
  const there = of.before.find(({ parameters }) => parameters.CodeKey !== undefined)?.parameters
  return planDeployment(
    {
      lake: of.lake.name,
      definition: deployedLake(of.lake, of.deploy),
      cost: lakeCost(of.lake, of.deploy, of.known, sizesOf(of)),
      region: of.deploy.region,
      stacks,
      parameters: content === undefined ? (there ?? {}) : { CodeKey: codeKey(content) },
      ownerOf: of.ownerOf,
    },
    {
      account: of.cloud?.account,
      comparedWith: of.comparedWith,
      before: of.before,
      drift: of.drift,
      notes: of.notes,
    },
  )
}
