import { IDS } from '../template/context.js'
import { type Applying, apply, type Code, shelfIn } from './apply.js'
import type { Cloud } from './cloud/cloud.js'
import type { Following } from './cloud/follow.js'
import { codeKey } from './cloud/shelf.js'
import { lookAt, templateOf } from './cloud/status.js'
import { destroy, keptOf, removable } from './destroy.js'
import type { LakeDeployment } from './lake-deployment.js'
import { type Pausing, pauseJobs } from './pause.js'
import type { DeployPlan } from './plan/plan.js'
import type { Stack } from './plan/stack.js'
import { type Remembered, remember } from './remembered.js'

export interface Carrying extends Following {
  revertDrift: boolean
  /** The functions' zip, and the hash of what it holds. */
  package: { zip: Uint8Array; content: string }
  /** What jobs of Glue need, by what stands behind the name of the zip. */
  spark?: ReadonlyMap<string, Uint8Array> | undefined
}

/** Carries a plan out, and remembers what was deployed. */
export async function deployLake(
  of: LakeDeployment & { cloud: Cloud },
  stacks: readonly Stack[],
  plan: DeployPlan,
  { package: packed, spark, revertDrift, ...following }: Carrying,
): Promise<string[]> {
  const code: Code = { key: codeKey(packed.content), bytes: packed.zip, beside: spark }
  const parameters = { CodeKey: code.key }
  const applying: Applying = {
    ...following,
    ownerOf: of.ownerOf,
    parameters,
    code,
    bucketId: IDS.bucket,
    revertDrift,
  }
  const changed = await apply(of.cloud, stacks, plan, applying)
  await rememberWhatIs(
    of,
    stacks.map(({ name }) => name),
  )
  return changed
}

/** Notes what the account has now, for those who compare without asking it. */
async function rememberWhatIs(
  { cloud, folder, prefix }: LakeDeployment & { cloud: Cloud },
  names: readonly string[],
): Promise<void> {
  const stacks: Remembered['stacks'] = []
  for (const name of names) {
    const stack = await lookAt(cloud, name)
    if (stack === undefined) continue
    const { parameters } = stack
    stacks.push({ name, template: await templateOf(cloud, name), parameters })
  }
  const { account, region } = cloud
  await remember(folder, prefix, { account, region, at: new Date().toISOString(), stacks })
}

/** What stays when the lake is removed, and the stacks that don't. */
export async function planRemoval(of: LakeDeployment & { cloud: Cloud }) {
  return { stacks: removable(of.before), kept: await keptOf(of.cloud, of.before) }
}

/** Removes the stacks that hold no data. */
export async function removeLake(
  of: LakeDeployment & { cloud: Cloud },
  names: readonly string[],
  following: Following,
): Promise<string[]> {
  const removed = await destroy(of.cloud, names, of.ownerOf, following)
  for (const { name, template: found } of of.before) {
    const shelf = await shelfIn(of.cloud, name, found, IDS.bucket)
    await shelf?.tidy(new Set())
  }
  await rememberWhatIs(
    of,
    of.before.map(({ name }) => name),
  )
  return removed
}

/** Pauses or resumes jobs that are deployed. */
export async function setPaused(
  of: LakeDeployment & { cloud: Cloud },
  what: Omit<Pausing, 'bucketId'>,
  following: Following,
): Promise<string[]> {
  const { cloud, before, ownerOf } = of
  const pausing = { ...what, bucketId: IDS.bucket }
  const changed = await pauseJobs(cloud, before, pausing, { ...following, ownerOf })
  if (changed.length > 0)
    await rememberWhatIs(
      of,
      before.map(({ name }) => name),
    )
  return changed
}
