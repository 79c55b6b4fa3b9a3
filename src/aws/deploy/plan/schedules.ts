import { IDS } from '../../template/context.js'
import type { ResourceChange } from './difference.js'
import type { OwnerOf, Resource, Template } from './stack.js'

const SCHEDULE = 'AWS::Scheduler::Schedule'

/** What makes a job run, and how each is paused: by a property that is not the usual value. */
const pauses: Readonly<
  Record<string, readonly [property: string, paused: unknown, running: unknown]>
> = {
  [SCHEDULE]: ['State', 'DISABLED', 'ENABLED'],
  // Messages wait in their queue meanwhile.
  'AWS::Lambda::EventSourceMapping': ['Enabled', false, true],
}

/** Whether something makes a job run; the projection shows what jobs have made, and is none. */
const isOfJob = (id: string, type: string) => type in pauses && id !== IDS.projection

/** A schedule that begins, ends, or fires at other times. */
export interface ScheduleChange {
  id: string
  job: string
  before: string | undefined
  after: string | undefined
}

export function scheduleChanges(
  changes: readonly ResourceChange[],
  before: Template | undefined,
  after: Template,
): ScheduleChange[] {
  return changes
    .filter(({ type, id }) => isOfJob(id, type))
    .map(({ id, of }) => ({
      id,
      job: of ?? id,
      before: timesOf(before?.Resources[id]),
      after: timesOf(after.Resources[id]),
    }))
    .filter((change) => change.before !== change.after)
}

/** When a job runs: `cron(0/15 * * * ? *) Europe/Berlin, paused`. */
function timesOf(trigger: Resource | undefined): string | undefined {
  if (trigger === undefined) return undefined
  const { ScheduleExpression, ScheduleExpressionTimezone: zone } = trigger.Properties ?? {}
  const at = trigger.Type === SCHEDULE ? String(ScheduleExpression) : 'when something arrives'
  const where = zone === undefined || zone === 'UTC' ? '' : ` ${zone}`
  return `${at}${where}${isPaused(trigger) ? ', paused' : ''}`
}

function isPaused({ Type, Properties }: Resource): boolean {
  const [property, paused] = pauses[Type] ?? []
  return property !== undefined && Properties?.[property] === paused
}

/** The jobs that something makes run, with the names of those resources in the template. */
export function triggersIn(
  template: Template | undefined,
  ownerOf: OwnerOf,
): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [id, { Type }] of Object.entries(template?.Resources ?? {}))
    if (isOfJob(id, Type))
      found.set(ownerOf(id) ?? id, [...(found.get(ownerOf(id) ?? id) ?? []), id])
  return found
}

/** The names of what is paused in a template. */
export function pausedIn(template: Template | undefined): Set<string> {
  const all = Object.entries(template?.Resources ?? {})
  return new Set(all.filter(([, one]) => isPaused(one)).map(([id]) => id))
}

/** What says of a trigger that the definition paused it. */
const MARK = 'moraine'

/** A template that says of what is paused in it that the definition did that. */
export function sayingWhoPaused(template: Template): Template {
  const marked = [...pausedIn(template)].map((id) => {
    const one = template.Resources[id] as Resource
    return [id, { ...one, Metadata: { ...one.Metadata, [MARK]: { pausedBy: 'lake.ts' } } }] as const
  })
  if (marked.length === 0) return template
  return { ...template, Resources: { ...template.Resources, ...Object.fromEntries(marked) } }
}

/**
 * The names of what was paused by hand. What the definition paused runs again when that does not
 * say so any more.
 */
export function pausedByHand(template: Template | undefined): Set<string> {
  const isSaid = (id: string) => template?.Resources[id]?.Metadata?.[MARK] !== undefined
  return new Set([...pausedIn(template)].filter((id) => !isSaid(id)))
}

/** A template in which the jobs of some triggers are paused, and others run. */
export function withPaused(template: Template, ids: ReadonlySet<string>): Template {
  const changed = Object.entries(template.Resources)
    .filter(([id, one]) => one.Type in pauses && ids.has(id) !== isPaused(one))
    .map(([id, one]) => [id, set(one, ids.has(id))] as const)
  if (changed.length === 0) return template
  return { ...template, Resources: { ...template.Resources, ...Object.fromEntries(changed) } }
}

function set(trigger: Resource, toPaused: boolean): Resource {
  const [property = '', paused, running] = pauses[trigger.Type] ?? []
  const value = toPaused ? paused : running
  const { Metadata, ...others } = trigger
  const about = Object.entries(Metadata ?? {}).filter(([name]) => name !== MARK)
  return {
    ...others,
    Properties: { ...trigger.Properties, [property]: value },
    ...(about.length > 0 ? { Metadata: Object.fromEntries(about) } : {}),
  }
}
