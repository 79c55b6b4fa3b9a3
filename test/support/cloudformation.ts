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
      ...sizesOf(stack),
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

/** A document as IAM counts it, in an account with long names; references are resolved at most. */
function longest(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(longest)
  if (typeof value !== 'object' || value === null) return value
  const of = value as Record<string, any>
  if ('Fn::Join' in of) return of['Fn::Join'][1].map(longest).join('')
  if ('Fn::ImportValue' in of || 'Fn::GetAtt' in of) return `arn:aws-us-gov:s3:::${'x'.repeat(63)}`
  if ('Ref' in of) return PSEUDO.test(of.Ref) ? resolved(of) : 'x'.repeat(63)
  return Object.fromEntries(Object.entries(of).map(([key, one]) => [key, longest(one)]))
}

/** What services refuse as too long: policies, policies of a role, variables, patterns. */
function sizesOf({ template }: Stack): string[] {
  return Object.entries(template.Resources).flatMap(([id, { Type, Properties = {} }]) => {
    const size = (value: Json | undefined) => JSON.stringify(longest(value)).length
    const most = (what: string, found: number, limit: number) =>
      found > limit ? [`${id} has ${found} ${what}, of at most ${limit}`] : []
    if (Type === 'AWS::IAM::ManagedPolicy')
      return most('characters', size(Properties.PolicyDocument), 6144)
    if (Type === 'AWS::IAM::Role') {
      const { length } = Properties.ManagedPolicyArns as readonly Json[]
      return most('policies', length, 10)
    }
    if (Type === 'AWS::SQS::QueuePolicy')
      return most('characters', size(Properties.PolicyDocument), 8192)
    if (Type === 'AWS::S3::BucketPolicy')
      return most('characters', size(Properties.PolicyDocument), 20_480)
    if (Type === 'AWS::KMS::Key') return most('characters', size(Properties.KeyPolicy), 32_768)
    if (Type === 'AWS::Lambda::Function')
      return most('bytes of variables', size(Properties.Environment), 4096 + 40)
    if (Type === 'AWS::Events::Rule') return most('characters', size(Properties.EventPattern), 4096)
    if (Type === 'AWS::S3::Bucket') {
      const { Rules = [] } = (Properties.LifecycleConfiguration ?? {}) as { Rules?: Json[] }
      return most('rules of lifecycle', Rules.length, 1000)
    }
    return []
  })
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
