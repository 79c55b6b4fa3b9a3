import type { Json, Resource, Resources, Template } from './cfn.js'

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
export const MOST_RESOURCES = 500
export const MOST_BYTES = 1_000_000
export const MOST_OUTPUTS = 200
/** What is left free, for what the next versions of a lake bring. */
const FULL = 0.9

/** A stack of CloudFormation, and when it is its turn. */
export interface Stack {
  readonly name: string
  /**
   * `base`: key and buckets, of which one holds the code that the others need. They are made in the
   * order of the list.
   */
  readonly phase: 'base' | 'rest'
  readonly template: Template
  /** Values that whoever deploys gives: `CodeKey`, where in the lake's bucket the code lies. */
  readonly parameters: readonly string[]
}

/** The group of what jobs share. */
export const SHARED = 'shared'

/** Resources that lie in one stack together. */
export interface Group {
  readonly name: string
  readonly phase: 'base' | 'rest'
  readonly resources: Resources
}

/** Stacks by name, with what each is about. */
export interface Naming {
  readonly prefix: string
  readonly lake: string
  /** In which stack a group lies already: resources that move would be made anew. */
  readonly placed: ReadonlyMap<string, string>
}

/** Puts groups into stacks, in their order, none of which is too large. */
export function stacksOf(groups: readonly Group[], naming: Naming): Stack[] {
  const drafts = distribute(groups, naming)
  const home = new Map(drafts.flatMap((d) => Object.keys(d.resources).map((id) => [id, d.name])))
  const order = new Map(drafts.map(({ name }, i) => [name, i]))
  const exports = new Map(drafts.map((draft) => [draft.name, givenAlways(draft)]))
  const resources = drafts.map((draft) => {
    const reference = (id: string, attribute?: string): Json | undefined => {
      const other = home.get(id)
      if (other === undefined || other === draft.name) return undefined
      if ((order.get(other) ?? 0) > (order.get(draft.name) ?? 0))
        throw new Error(`${draft.name} refers to ${id} of ${other}, which comes later`)
      const [key, value] = given(id, attribute)
      exports.get(other)?.set(key, value)
      return { 'Fn::ImportValue': `${other}-${key}` }
    }
    return Object.fromEntries(
      Object.entries(draft.resources).map(([id, one]) => [
        id,
        imported(one, reference, (other) => home.get(other) === draft.name),
      ]),
    )
  })
  return drafts.map(({ name, phase }, i) => {
    const found = resources[i] as Resources
    const parameters = JSON.stringify(found).includes('"Ref":"CodeKey"') ? ['CodeKey'] : []
    const outputs = Object.fromEntries(
      [...(exports.get(name) ?? [])].map(([key, Value]) => [
        key,
        { Value, Export: { Name: `${name}-${key}` } },
      ]),
    )
    return { name, phase, parameters, template: templateOf(naming, found, parameters, outputs) }
  })
}

/** What a stack gives to others of a resource: what they ask for it by, and its value. */
const given = (id: string, attribute?: string): [string, Json] =>
  attribute === undefined
    ? [id, { Ref: id }]
    : [`${id}${attribute.replaceAll('.', '')}`, { 'Fn::GetAtt': [id, attribute] }]

/**
 * What a stack gives to others whether they ask for it now or not: the buckets and the key, so that
 * another stack that asks for one of them later is all that changes.
 */
function givenAlways({ phase, resources }: Draft): Map<string, Json> {
  if (phase !== 'base') return new Map()
  const ids = Object.keys(resources).filter((id) => ALWAYS.includes(resources[id]?.Type ?? ''))
  return new Map(ids.flatMap((id) => [given(id), given(id, 'Arn')]))
}

const ALWAYS = ['AWS::S3::Bucket', 'AWS::KMS::Key']

function templateOf(
  { lake }: Naming,
  resources: Resources,
  parameters: readonly string[],
  outputs: Readonly<Record<string, Json>>,
): Template {
  const code = {
    Type: 'String',
    Description: 'Where in the bucket of the lake the code of its functions lies',
  }
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `The lake ${lake}, by moraine deploy`,
    ...(parameters.length > 0 ? { Parameters: { CodeKey: code } } : {}),
    Resources: resources,
    ...(Object.keys(outputs).length > 0 ? { Outputs: outputs } : {}),
  }
}

interface Draft extends Pick<Stack, 'name' | 'phase'> {
  readonly resources: Resources
}

/**
 * Groups lie where they lie already, and others where there is room: these look for it only when
 * all of those are there.
 */
function distribute(groups: readonly Group[], { prefix, placed }: Naming): Draft[] {
  const drafts = new Map<string, Draft>()
  const nameOf = (number: number) => (number === 1 ? prefix : `${prefix}-${number}`)
  const put = (name: string, { phase, resources }: Group) => {
    const there = drafts.get(name)?.resources
    drafts.set(name, { name, phase, resources: { ...there, ...resources } })
  }
  // What jobs share comes first, as references lead to earlier stacks alone.
  const homeOf = ({ name, phase }: Group) =>
    phase === 'base' ? `${prefix}-base` : name === SHARED ? prefix : placed.get(name)
  for (const group of groups) {
    const home = homeOf(group)
    if (home !== undefined) put(home, group)
  }
  for (const group of groups.filter((one) => homeOf(one) === undefined)) {
    let number = 1
    while (!fits(drafts.get(nameOf(number))?.resources ?? {}, group.resources)) number++
    put(nameOf(number), group)
  }
  const turn = ({ name, phase }: Draft) =>
    phase === 'base' ? 0 : name === prefix ? 1 : Number(name.slice(prefix.length + 1))
  return [...drafts.values()].sort((a, b) => turn(a) - turn(b))
}

/** A group that is too large for any stack has one of its own. */
function fits(there: Resources, more: Resources): boolean {
  if (Object.keys(there).length === 0) return true
  const count = Object.keys(there).length + Object.keys(more).length
  return count <= MOST_RESOURCES * FULL && bytesOf(there) + bytesOf(more) <= MOST_BYTES * FULL
}

const bytesOf = (resources: Resources) => JSON.stringify(resources).length

/** A resource whose references to other stacks are imports. */
function imported(
  resource: Resource,
  reference: (id: string, attribute?: string) => Json | undefined,
  isHere: (id: string) => boolean,
): Resource {
  const walk = (value: Json | undefined): Json | undefined => {
    if (Array.isArray(value)) return value.map((one) => walk(one) as Json)
    if (typeof value !== 'object' || value === null) return value
    const of = value as { readonly [name: string]: Json | undefined }
    if (typeof of.Ref === 'string') return reference(of.Ref) ?? value
    const got = of['Fn::GetAtt'] as readonly [string, string] | undefined
    if (got) return reference(got[0], got[1]) ?? value
    return Object.fromEntries(Object.entries(of).map(([name, one]) => [name, walk(one)]))
  }
  const { DependsOn, ...others } = resource
  const here = DependsOn?.filter(isHere) ?? []
  return {
    ...others,
    Properties: walk(resource.Properties as Json) as NonNullable<Resource['Properties']>,
    ...(here.length > 0 ? { DependsOn: here } : {}),
  }
}
