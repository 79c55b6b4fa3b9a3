import { changeStack } from './change-stack.js'
import type { Cloud } from './cloud/cloud.js'
import type { Following } from './cloud/follow.js'
import { isMade, recover } from './cloud/settle.js'
import { Shelf } from './cloud/shelf.js'
import { lookAt, resourcesOf } from './cloud/status.js'
import type { DeployPlan } from './plan/plan.js'
import type { OwnerOf, Stack, Template } from './plan/stack.js'

/** The code of the functions. */
export interface Code {
  key: string
  bytes: Uint8Array
  /** What lies beside it, by what stands behind its key. */
  beside?: ReadonlyMap<string, Uint8Array> | undefined
}

export interface Applying extends Following {
  ownerOf: OwnerOf
  parameters: Readonly<Record<string, string>>
  code: Code
  /** What the lake's bucket is called in its template. */
  bucketId: string
  /** Puts back what somebody changed by hand. */
  revertDrift: boolean
}

/**
 * Carries a plan out, stack by stack. It can be ended at any step: CloudFormation goes on with what
 * it was told, and the next deployment begins with what is there then.
 *
 * @returns the names of the stacks that changed.
 */
export async function apply(
  cloud: Cloud,
  stacks: readonly Stack[],
  plan: DeployPlan,
  applying: Applying,
): Promise<string[]> {
  const { code, bucketId, revertDrift } = applying
  const changed: string[] = []
  let shelf: Shelf | undefined
  for (const stack of stacks) {
    applying.signal?.throwIfAborted()
    const { action = 'none', recovery } = plan.stacks.find(({ name }) => name === stack.name) ?? {}
    if (action !== 'none' || recovery !== undefined || revertDrift) {
      if (stack.parameters.length > 0 && shelf) await layCode(shelf, code)
      if (await applyOne(cloud, stack, shelf, applying)) changed.push(stack.name)
    }
    shelf ??= await shelfIn(cloud, stack.name, stack.template, bucketId)
  }
  const others = [...(code.beside?.keys() ?? [])].map((ending) => code.key + ending)
  await shelf?.tidy(new Set([code.key, ...others]))
  return changed
}

async function layCode(shelf: Shelf, { key, bytes, beside = new Map() }: Code): Promise<void> {
  await shelf.lay(key, bytes)
  for (const [ending, content] of beside) await shelf.lay(key + ending, content)
}

/** The shelf in the lake's bucket, where a stack has that. */
export async function shelfIn(
  cloud: Cloud,
  stack: string,
  template: Template | undefined,
  bucketId: string,
): Promise<Shelf | undefined> {
  if (template?.Resources[bucketId] === undefined) return undefined
  const bucket = (await resourcesOf(cloud, stack)).get(bucketId)
  return bucket === undefined ? undefined : new Shelf(cloud, bucket)
}

/** Changes one stack; `false`: CloudFormation found nothing to change. */
async function applyOne(
  cloud: Cloud,
  stack: Stack,
  shelf: Shelf | undefined,
  applying: Applying,
): Promise<boolean> {
  const there = await lookAt(cloud, stack.name)
  const ready = there && (await recover(cloud, there, applying.ownerOf, applying))
  const values = stack.parameters.map((name) => [name, applying.parameters[name] ?? ''])
  return changeStack(
    cloud,
    {
      stack: stack.name,
      template: stack.template,
      parameters: Object.fromEntries(values),
      made: isMade(ready),
      shelf,
      revertDrift: applying.revertDrift,
    },
    applying,
  )
}
