import { setTimeout as sleep } from 'node:timers/promises'
import type { StackEvent } from '@aws-sdk/client-cloudformation'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'
import { type Deployed, lookAt } from './status.js'

/** What happens to a resource while a stack changes. */
export interface ResourceEvent {
  stack: string
  id: string
  type: string
  status: string
  reason: string | undefined
}

export interface Following {
  tell?: ((event: ResourceEvent) => void) | undefined
  signal?: AbortSignal | undefined
  /** Milliseconds between two looks. */
  pace?: number
}

/** A change of a stack that has ended. */
export interface Ended {
  /** `undefined`: the stack is gone. */
  stack: Deployed | undefined
  /** What failed of its own, rather than because something else did; in order. */
  failures: ResourceEvent[]
}

const runs = (status: string) => /_IN_PROGRESS$/.test(status) && status !== 'REVIEW_IN_PROGRESS'

/** Whether a stack is being changed. */
export const isChanging = ({ status }: Deployed) => runs(status)

/**
 * Waits until a stack is no longer being changed, and tells what happens to its resources.
 *
 * @param since the id of the last event before the change; those up to it are passed over.
 */
export async function follow(
  cloud: Cloud,
  id: string,
  since: string | undefined,
  { tell, signal, pace = cloud.pace }: Following = {},
): Promise<Ended> {
  const failures: ResourceEvent[] = []
  let last = since
  for (;;) {
    // The state is read first: what happened before it stood has been told when it has ended.
    const stack = await lookAt(cloud, id)
    const fresh = await eventsSince(cloud, id, last)
    last = fresh.at(-1)?.EventId ?? last
    for (const event of fresh.map(eventOf)) {
      tell?.(event)
      if (isCause(event)) failures.push(event)
    }
    if (stack === undefined || !isChanging(stack)) return { stack, failures }
    await sleep(pace, undefined, { signal })
  }
}

/** The last event of a stack, after which others are new. */
export async function lastEvent(cloud: Cloud, id: string): Promise<string | undefined> {
  const { DescribeStackEventsCommand } = cloud.sdk
  const { StackEvents } = await asking(`read the events of stack ${id}`, () =>
    cloud.cloudFormation.send(new DescribeStackEventsCommand({ StackName: id })),
  )
  return StackEvents?.[0]?.EventId
}

/** Events after one, the oldest first. */
async function eventsSince(cloud: Cloud, id: string, since: string | undefined) {
  const { paginateDescribeStackEvents } = cloud.sdk
  const found: StackEvent[] = []
  await asking(`read the events of stack ${id}`, async () => {
    const pages = paginateDescribeStackEvents({ client: cloud.cloudFormation }, { StackName: id })
    for await (const { StackEvents = [] } of pages) {
      const at = StackEvents.findIndex(({ EventId }) => EventId === since)
      found.push(...(at < 0 ? StackEvents : StackEvents.slice(0, at)))
      if (at >= 0) return
    }
  })
  return found.reverse()
}

function eventOf(event: StackEvent): ResourceEvent {
  return {
    stack: event.StackName ?? '',
    id: event.LogicalResourceId ?? '',
    type: event.ResourceType ?? '',
    status: event.ResourceStatus ?? '',
    reason: event.ResourceStatusReason || undefined,
  }
}

/** Others are cancelled when one fails; the stack itself only counts them. */
function isCause({ type, status, reason = '' }: ResourceEvent): boolean {
  return (
    status.endsWith('_FAILED') &&
    type !== 'AWS::CloudFormation::Stack' &&
    !/^Resource (creation|update|deletion) cancelled/i.test(reason)
  )
}
