import type { ResourceChange } from './difference.js'
import { asSets, canonical, type Resource, type Template } from './stack.js'

/** What a role, or a policy of a bucket, key or queue, allows more or less than before. */
export interface RightChange {
  id: string
  of: string | undefined
  added: string[]
  removed: string[]
}

interface Statement {
  Effect?: string
  Action?: unknown
  NotAction?: unknown
  Resource?: unknown
  Principal?: unknown
  Condition?: unknown
}

/** Properties that hold policies, whatever the type of the resource. */
const POLICIES = [
  'PolicyDocument',
  'AssumeRolePolicyDocument',
  'KeyPolicy',
  'Policies',
  'ManagedPolicyArns',
]

/** The rights that differ between two templates, among the resources that changed. */
export function rightChanges(
  changes: readonly ResourceChange[],
  before: Template | undefined,
  after: Template,
): RightChange[] {
  return changes.flatMap(({ id, of }) => {
    const old = rightsOf(before?.Resources[id])
    const now = rightsOf(after.Resources[id])
    const added = [...now].filter((right) => !old.has(right))
    const removed = [...old].filter((right) => !now.has(right))
    return added.length + removed.length === 0 ? [] : [{ id, of, added, removed }]
  })
}

/** Each action on each resource that a resource's policies allow or deny, as a text. */
function rightsOf(resource: Resource | undefined): Set<string> {
  const held = Object.entries(resource?.Properties ?? {}).filter(([name]) =>
    POLICIES.includes(name),
  )
  return new Set(held.flatMap(([name, value]) => rightsIn(name, value)))
}

function rightsIn(name: string, value: unknown): string[] {
  if (name === 'ManagedPolicyArns') return list(value).map((arn) => `policy ${shown(arn)}`)
  if (name === 'Policies')
    return list(value).flatMap((one) =>
      rightsIn('PolicyDocument', (one as { PolicyDocument?: unknown }).PolicyDocument),
    )
  const { Statement: statements } = (value ?? {}) as { Statement?: unknown }
  return list(statements).flatMap((statement) => rightsOfStatement(statement as Statement))
}

function rightsOfStatement(statement: Statement): string[] {
  const { Effect, Action, NotAction, Resource: target, Principal, Condition } = statement
  const deny = Effect === 'Deny' ? 'deny ' : ''
  const who = Principal === undefined ? '' : ` by ${shown(Principal)}`
  const when = Condition === undefined ? '' : ` if ${shown(asSets(Condition))}`
  const actions = [
    ...list(Action).map(String),
    ...list(NotAction).map((action) => `all but ${action}`),
  ]
  const targets = target === undefined ? [''] : list(target).map((one) => ` on ${shown(one)}`)
  return actions.flatMap((action) => targets.map((on) => `${deny}${action}${on}${who}${when}`))
}

const list = (value: unknown): unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

/**
 * A value of a template in few words: what a function of CloudFormation stands for, rather than how
 * it is written.
 */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return value.replace(/^arn:aws[a-z-]*:([a-z0-9-]+):[^:]*:[^:]*:/, '$1:')
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return value.map(shown).join(', ')
  const [[name = '', argument] = []] = Object.entries(value)
  if (name === 'Ref') return String(argument)
  if (name === 'Fn::GetAtt')
    return list(argument)
      .join('.')
      .replace(/\.Arn$/, '')
  if (name === 'Fn::Join')
    return list(list(argument)[1])
      .map(shown)
      .join(String(list(argument)[0]))
  if (name === 'Fn::Sub')
    return shown(
      String(list(argument)[0])
        .replaceAll(/\$\{(AWS::)?(\w+)(\.Arn)?\}/g, '$2')
        .replace(/^arn:Partition:([a-z0-9-]+):[^:]*:[^:]*:/, '$1:'),
    )
  return canonical(value).replace(/["{}]/g, '')
}
