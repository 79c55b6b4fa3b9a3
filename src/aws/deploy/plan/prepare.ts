import type { Before } from '../survey.js'
import { type DeployedLake, withLake } from './definitions.js'
import { pausedIn, withPaused } from './schedules.js'
import type { Stack, Template } from './stack.js'

/**
 * The stacks as they are deployed: with what the definition says, and what was said of them in the
 * meantime.
 */
export function prepared(
  stacks: readonly Stack[],
  before: readonly Before[],
  lake: DeployedLake,
  place: Place | undefined,
): Stack[] {
  const first = stacks.find(({ phase }) => phase === 'rest')?.name
  const paused = new Set(before.flatMap(({ template }) => [...pausedIn(template)]))
  return stacks.map((stack) => {
    const old = before.find(({ name }) => name === stack.name)?.template
    const named = place ? withBucketNames(stack.template, place) : stack.template
    const template = withOldOutputs(old, stayPaused(named, paused))
    return { ...stack, template: stack.name === first ? withLake(template, lake) : template }
  })
}

/** Where stacks are made. */
export interface Place {
  account: string
  region: string
}

/**
 * A bucket is found again by its name, where its stack was removed: CloudFormation compares only
 * names that are written out.
 */
function withBucketNames(template: Template, { account, region }: Place): Template {
  const known: Readonly<Record<string, string>> = {
    'AWS::AccountId': account,
    'AWS::Region': region,
  }
  const named = Object.entries(template.Resources).map(([id, one]) => {
    const parts = joined(one.Properties?.BucketName)
    const texts = parts?.map((part) =>
      typeof part === 'string' ? part : known[(part as { Ref?: string }).Ref ?? ''],
    )
    if (one.Type !== 'AWS::S3::Bucket' || !texts?.every((text) => text !== undefined))
      return [id, one]
    return [id, { ...one, Properties: { ...one.Properties, BucketName: texts.join('') } }]
  })
  return { ...template, Resources: Object.fromEntries(named) }
}

/** The parts of a text that CloudFormation puts together without anything in between. */
function joined(value: unknown): unknown[] | undefined {
  const [between, parts] = (value as { 'Fn::Join'?: [string, unknown[]] })?.['Fn::Join'] ?? []
  return between === '' ? parts : undefined
}

/** What was paused stays so: a deployment is no reason to run it. */
function stayPaused(template: Template, paused: ReadonlySet<string>): Template {
  return paused.size === 0
    ? template
    : withPaused(template, new Set([...paused, ...pausedIn(template)]))
}

/**
 * What other stacks were given stays, as they refer to it until they are changed themselves:
 * CloudFormation refuses to take it away.
 */
function withOldOutputs(before: Template | undefined, after: Template): Template {
  const kept = Object.entries(before?.Outputs ?? {}).filter(
    ([name, output]) => !(name in (after.Outputs ?? {})) && refersOnlyTo(output, after),
  )
  if (kept.length === 0) return after
  return { ...after, Outputs: { ...after.Outputs, ...Object.fromEntries(kept) } }
}

function refersOnlyTo(output: unknown, { Resources }: Template): boolean {
  const { Value } = output as { Value?: { Ref?: string; 'Fn::GetAtt'?: string[] } }
  const id = Value?.Ref ?? Value?.['Fn::GetAtt']?.[0]
  return id !== undefined && id in Resources
}
