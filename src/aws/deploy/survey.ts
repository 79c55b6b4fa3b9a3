import type { Cloud } from './cloud/cloud.js'
import { canDrift, type Drift, detectDrift } from './cloud/drift.js'
import type { Following } from './cloud/follow.js'
import { isMade, quiet, type Recovery, recoveryOf } from './cloud/settle.js'
import { type Deployed, lookAt, templateOf } from './cloud/status.js'
import type { OwnerOf, Template } from './plan/stack.js'

/** What a stack was deployed with. */
export interface Before {
  name: string
  /** `undefined`: it is not there. */
  status: string | undefined
  /** What an earlier deployment that failed makes necessary. */
  recovery: Recovery
  /** `undefined`: it has made nothing yet. */
  template: Template | undefined
  parameters: Readonly<Record<string, string>>
}

/** A stack that nobody has deployed. */
export const absent = (name: string): Before => ({
  name,
  status: undefined,
  recovery: undefined,
  template: undefined,
  parameters: {},
})

export interface Surveying extends Following {
  ownerOf: OwnerOf
  /** Waits for what is being changed; otherwise what is there now is told. */
  wait: boolean
  drift: boolean
}

/** What is deployed now of some stacks, and how it drifted. */
export async function survey(
  cloud: Cloud,
  names: readonly string[],
  { ownerOf, wait, drift, ...following }: Surveying,
): Promise<{ before: Before[]; drift: Drift[] }> {
  const found = await Promise.all(
    names.map(async (name) => {
      const stack = wait ? await quiet(cloud, name, following) : await lookAt(cloud, name)
      const drifted =
        drift && stack && canDrift(stack.status)
          ? detectDrift(cloud, name, ownerOf, following.signal)
          : []
      return { before: await beforeOf(cloud, name, stack), drift: await drifted }
    }),
  )
  return { before: found.map(({ before }) => before), drift: found.flatMap((one) => one.drift) }
}

async function beforeOf(cloud: Cloud, name: string, stack: Deployed | undefined): Promise<Before> {
  if (stack === undefined) return absent(name)
  return {
    name,
    status: stack.status,
    recovery: recoveryOf(stack),
    template: isMade(stack) ? await templateOf(cloud, name) : undefined,
    parameters: isMade(stack) ? stack.parameters : {},
  }
}
