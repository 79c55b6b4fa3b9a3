import type { Before } from '../survey.js'
import { type DeployedLake, withLake } from './definitions.js'
import { pausedByHand, pausedIn, sayingWhoPaused, withPaused } from './schedules.js'
import type { Resource, Stack, Template } from './stack.js'

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
  const paused = new Set(before.flatMap(({ template }) => [...pausedByHand(template)]))
  return stacks.map((stack) => {
    const old = before.find(({ name }) => name === stack.name)?.template
    const said = sayingWhoPaused(stack.template)
    const named = place ? withBucketNames(said, place) : said
    const others = before.filter(({ name }) => name !== stack.name)
    const whole = withNeeded(old, stayPaused(named, paused), importsOf(others))
    const template = withOldOutputs(old, whole)
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

/** What was paused by hand stays so: a deployment is no reason to run it. */
function stayPaused(template: Template, paused: ReadonlySet<string>): Template {
  return paused.size === 0
    ? template
    : withPaused(template, new Set([...paused, ...pausedIn(template)]))
}

/** What a stack keeps once it has it, as `--destroy` does: the tables of a warehouse. */
const STAYS = 'AWS::RedshiftServerless::Namespace'

/**
 * What a stack has to keep though the lake needs it no more: a warehouse, and what other stacks
 * import as they are now, since these are changed later. The deployment after removes that.
 */
function withNeeded(
  before: Template | undefined,
  after: Template,
  imported: ReadonlySet<string>,
): Template {
  if (before === undefined) return after
  const exported = Object.values(before.Outputs ?? {}).flatMap((output) => {
    const { Export } = output as { Export?: { Name?: unknown } }
    const id = referredTo(output)
    return id !== undefined && imported.has(String(Export?.Name)) ? [id] : []
  })
  const staying = Object.keys(before.Resources).filter((id) => before.Resources[id]?.Type === STAYS)
  const kept: Record<string, Resource> = {}
  const keep = (id: string) => {
    const one = before.Resources[id]
    if (one === undefined || id in after.Resources || id in kept) return
    kept[id] = one
    for (const other of referencesIn(one)) keep(other)
  }
  for (const id of [...exported, ...staying]) keep(id)
  if (Object.keys(kept).length === 0) return after
  return { ...after, Resources: { ...after.Resources, ...kept } }
}

/** The names of all that stacks import. */
const importsOf = (stacks: readonly Before[]): Set<string> =>
  new Set(stacks.flatMap(({ template }) => valuesOf(template?.Resources, 'Fn::ImportValue')))

/** What a resource needs in its template, by name. */
const referencesIn = (resource: Resource): string[] =>
  ['Ref', 'Fn::GetAtt', 'DependsOn'].flatMap((key) => valuesOf(resource, key))

/** Texts under a key, anywhere within a value; of a list, its texts. */
function valuesOf(value: unknown, key: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, part]) => {
    if (name !== key) return valuesOf(part, key)
    return [part].flat().filter((one) => typeof one === 'string')
  })
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
  const id = referredTo(output)
  return id !== undefined && id in Resources
}

/** The resource that an output is about. */
function referredTo(output: unknown): string | undefined {
  const { Value } = output as { Value?: { Ref?: string; 'Fn::GetAtt'?: string[] } }
  return Value?.Ref ?? Value?.['Fn::GetAtt']?.[0]
}
