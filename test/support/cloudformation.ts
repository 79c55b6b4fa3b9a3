import type { Deployment, Json, Stack } from '../../src/aws/index.js'

/** What stands before a reference that is none of the template's own. */
const PSEUDO = /^AWS::(AccountId|Region|Partition|StackName|NoValue|URLSuffix)$/

/**
 * What CloudFormation would refuse of a deployment, as far as that is seen without it: references
 * to what is not there, circles, imports of what no earlier stack exports, names given twice, and
 * its limits.
 */
export function faultsOf({ stacks }: Deployment): string[] {
  const exported = new Set<string>()
  const names = new Map<string, string>()
  return stacks.flatMap((stack) => {
    const faults = [
      ...limitsOf(stack),
      ...referencesOf(stack),
      ...importsOf(stack, exported),
      ...circlesOf(stack),
      ...namesGivenTwice(stack, names),
    ]
    for (const name of exportsOf(stack)) exported.add(name)
    return faults.map((fault) => `${stack.name}: ${fault}`)
  })
}

function limitsOf({ name, template }: Stack): string[] {
  const ids = Object.keys(template.Resources)
  const bytes = JSON.stringify(template).length
  return [
    ...(ids.length === 0 || ids.length > 500 ? [`${ids.length} resources`] : []),
    ...(bytes > 1_000_000 ? [`${bytes} bytes`] : []),
    ...(/^[a-zA-Z][-a-zA-Z0-9]{0,127}$/.test(name) ? [] : ['a name that no stack may have']),
    ...(Object.keys(template.Outputs ?? {}).length > 200 ? ['too many outputs'] : []),
    ...ids.filter((id) => !/^[A-Za-z0-9]{1,255}$/.test(id)).map((id) => `the id ${id}`),
  ]
}

/** All values of an object and what is in it. */
function* values(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Record<string, unknown>
  for (const one of Object.values(value)) yield* values(one)
}

function targetsOf(value: unknown): string[] {
  return [...values(value)].flatMap((one) => {
    if (typeof one.Ref === 'string') return [one.Ref]
    const got = one['Fn::GetAtt']
    return Array.isArray(got) ? [String(got[0])] : []
  })
}

function referencesOf({ template }: Stack): string[] {
  const known = new Set([
    ...Object.keys(template.Resources),
    ...Object.keys(template.Parameters ?? {}),
  ])
  const dangling = targetsOf(template).filter((id) => !known.has(id) && !PSEUDO.test(id))
  const waited = Object.values(template.Resources).flatMap(({ DependsOn = [] }) => DependsOn)
  const holes = [...values(template)].some((one) => Object.values(one).includes(undefined))
  return [
    ...dangling.map((id) => `refers to ${id}, which is not there`),
    ...waited.filter((id) => !known.has(id)).map((id) => `waits for ${id}, which is not there`),
    ...(holes && JSON.stringify(template).includes('undefined') ? ['has undefined values'] : []),
    ...[...values(template)].flatMap((one) => ('Fn::Sub' in one ? ['has an Fn::Sub'] : [])),
  ]
}

const exportsOf = ({ template }: Stack) =>
  Object.values(template.Outputs ?? {}).flatMap((one) => {
    const { Export } = one as { Export?: { Name: string } }
    return Export ? [Export.Name] : []
  })

function importsOf(stack: Stack, exported: ReadonlySet<string>): string[] {
  return [...values(stack.template)].flatMap((one) => {
    const name = one['Fn::ImportValue']
    return name === undefined || exported.has(String(name)) ? [] : [`imports ${String(name)}`]
  })
}

function circlesOf({ template }: Stack): string[] {
  const after = new Map(
    Object.entries(template.Resources).map(([id, one]) => [
      id,
      [...targetsOf(one), ...(one.DependsOn ?? [])].filter((other) => other in template.Resources),
    ]),
  )
  const done = new Set<string>()
  const visit = (id: string, path: readonly string[]): string[] => {
    if (path.includes(id)) return [`a circle: ${[...path, id].join(' → ')}`]
    if (done.has(id)) return []
    const found = (after.get(id) ?? []).flatMap((other) => visit(other, [...path, id]))
    done.add(id)
    return found
  }
  return [...after.keys()].flatMap((id) => visit(id, []))
}

/** Properties by which resources are named, and how long each may be. */
const NAMES: Readonly<Record<string, readonly [property: string, pattern: RegExp]>> = {
  'AWS::IAM::Role': ['RoleName', /^[\w+=,.@-]{1,64}$/],
  'AWS::IAM::ManagedPolicy': ['ManagedPolicyName', /^[\w+=,.@-]{1,128}$/],
  'AWS::Lambda::Function': ['FunctionName', /^[a-zA-Z0-9-_]{1,64}$/],
  'AWS::SQS::Queue': ['QueueName', /^[a-zA-Z0-9-_]{1,75}(\.fifo)?$/],
  'AWS::S3::Bucket': ['BucketName', /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/],
  'AWS::Events::Rule': ['Name', /^[.\-_A-Za-z0-9]{1,64}$/],
  'AWS::Scheduler::Schedule': ['Name', /^[0-9a-zA-Z-_.]{1,64}$/],
  'AWS::Athena::WorkGroup': ['Name', /^[a-zA-Z0-9._-]{1,128}$/],
  'AWS::CloudWatch::Alarm': ['AlarmName', /^.{1,255}$/],
}

function namesGivenTwice({ template }: Stack, given: Map<string, string>): string[] {
  return Object.entries(template.Resources).flatMap(([id, { Type, Properties = {} }]) => {
    const [property, pattern] = NAMES[Type] ?? []
    if (!property || !pattern) return []
    const name = resolved(Properties[property])
    const key = `${Type} ${name.toLowerCase()}`
    const before = given.get(key)
    given.set(key, id)
    return [
      ...(pattern.test(name) ? [] : [`${id} has the name ${name}`]),
      ...(before === undefined ? [] : [`${before} and ${id} are both named ${name}`]),
    ]
  })
}

/** A value as a stack would have it, in the account with the longest names. */
export function resolved(value: Json | undefined): string {
  if (typeof value === 'string') return value
  const of = value as { Ref?: string; 'Fn::Join'?: readonly [string, readonly Json[]] }
  if (of.Ref === 'AWS::AccountId') return '123456789012'
  if (of.Ref === 'AWS::Region') return 'ap-southeast-1'
  if (of.Ref === 'AWS::Partition') return 'aws-us-gov'
  if (of['Fn::Join']) return of['Fn::Join'][1].map(resolved).join('')
  return JSON.stringify(value)
}
