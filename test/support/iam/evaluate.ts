/*
 * Decides as IAM does, as far as our templates use its language:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * What it does not know of a statement is an error, never a guess.
 */

export interface PolicyStatement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly Principal?: unknown
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >
}

/** A call as policies see it. */
export interface Asked {
  readonly action: string
  readonly resource: string
  /** Values of condition keys; those that are not here are missing from the request. */
  readonly context?: Readonly<Record<string, string>>
}

const KNOWN = ['Sid', 'Effect', 'Action', 'Resource', 'Principal', 'Condition']

/** Whether policies together allow a call: one says so, and none denies it. */
export function isAllowed(statements: readonly PolicyStatement[], asked: Asked): boolean {
  const about = statements.filter((one) => isAbout(one, asked))
  return (
    about.some(({ Effect }) => Effect === 'Allow') && !about.some((one) => one.Effect === 'Deny')
  )
}

function isAbout(statement: PolicyStatement, { action, resource, context = {} }: Asked): boolean {
  const strange = Object.keys(statement).find((key) => !KNOWN.includes(key))
  if (strange !== undefined) throw new Error(`${strange} is not evaluated here`)
  const { Action, Resource = '*', Condition = {} } = statement
  return (
    list(Action).some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
    list(Resource).some((pattern) => like(pattern, resource)) &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => holds(operator, context[key], list(values))),
    )
  )
}

function holds(operator: string, value: string | undefined, values: readonly string[]): boolean {
  if (operator === 'Null') return values.includes(String(value === undefined))
  const name = operator.replace(/IfExists$/, '')
  const compare = OPERATORS[name]
  if (!compare) throw new Error(`the condition ${operator} is not evaluated here`)
  // A negated condition holds where its key is missing.
  if (value === undefined) return operator.endsWith('IfExists') || /Not/.test(name)
  return compare(value, values)
}

const OPERATORS: Readonly<Record<string, (value: string, values: readonly string[]) => boolean>> = {
  StringEquals: (value, values) => values.includes(value),
  StringNotEquals: (value, values) => !values.includes(value),
  StringLike: (value, values) => values.some((pattern) => like(pattern, value)),
  ArnLike: (value, values) => values.some((pattern) => like(pattern, value)),
  Bool: (value, values) => values.includes(value),
}

function like(pattern: string, text: string): boolean {
  const parts = pattern.split(/([*?])/).map((part) => {
    if (part === '*') return '.*'
    return part === '?' ? '.' : part.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`, 's').test(text)
}

const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T]

/** A way to take one action away, and what is left. */
export interface Subtracted {
  /** `Write s3:PutObject`. */
  readonly what: string
  readonly action: string
  readonly left: readonly PolicyStatement[]
}

/** Policies without each of their actions, in turn. */
export function subtractions(statements: readonly PolicyStatement[]): Subtracted[] {
  // A statement that was divided by its resources is one.
  const names = [...new Set(statements.map(sidOf))]
  return names.flatMap((sid) => {
    const own = statements.filter((one) => sidOf(one) === sid)
    const actions = [...new Set(own.flatMap(({ Action }) => list(Action)))]
    return actions.map((action) => ({
      what: `${sid} ${action}`,
      action,
      left: statements.flatMap((one) => {
        if (sidOf(one) !== sid) return [one]
        const Action = list(one.Action).filter((other) => other !== action)
        return Action.length === 0 ? [] : [{ ...one, Action }]
      }),
    }))
  })
}

const sidOf = ({ Sid = '' }: PolicyStatement) => Sid.replace(/[AB]+$/, '')
