import type { Json, Statement } from '../cfn.js'

/**
 * Characters of a managed policy, without blanks:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
export const MOST = 6144
/** Managed policies that a role may have, unless an account has asked for more. */
export const MOST_POLICIES = 10
/** `{"Version":"2012-10-17","Statement":[]}`. */
const AROUND = 40

/**
 * Divides statements into policies that are each small enough. Lists of resources are cut where one
 * statement is too long; what is allowed together is what was.
 */
export function divided(statements: readonly Statement[], region: string): Statement[][] {
  const pieces = statements.flatMap((statement) => cut(statement, region))
  const parts: Statement[][] = []
  for (const piece of pieces) {
    const size = sizeOf(piece as unknown as Json, region) + 1
    const room = parts.find((part) => sizeOfAll(part, region) + size <= MOST - AROUND)
    if (room) room.push(piece)
    else parts.push([piece])
  }
  return parts
}

const sizeOfAll = (part: readonly Statement[], region: string) =>
  part.reduce((sum, one) => sum + sizeOf(one as unknown as Json, region) + 1, 0)

/** Statements of at most a third of a policy, so that they fill policies well. */
function cut(statement: Statement, region: string): Statement[] {
  if (sizeOf(statement as unknown as Json, region) <= MOST / 3) return [statement]
  const { Resource, Sid, Condition } = statement
  const half = (part: Partial<Statement>, ending: string) =>
    cut({ ...statement, ...(Sid ? { Sid: Sid + ending } : {}), ...part }, region)
  const halves = (all: readonly Json[], part: (some: readonly Json[]) => Partial<Statement>) => {
    const middle = Math.ceil(all.length / 2)
    return [...half(part(all.slice(0, middle)), 'A'), ...half(part(all.slice(middle)), 'B')]
  }
  if (Array.isArray(Resource) && Resource.length > 1)
    return halves(Resource, (some) => ({ Resource: some }))
  const { operator, prefixes } = prefixesOf(Condition)
  if (prefixes.length < 2) return [statement]
  return halves(prefixes, (some) => ({ Condition: { [operator]: { [PREFIX]: some } } }))
}

/** Lists by prefixes, of which one statement may have some. */
const PREFIX = 's3:prefix'

function prefixesOf(condition: Json | undefined): { operator: string; prefixes: readonly Json[] } {
  const [operator = '', keys] = Object.entries(condition ?? {})[0] ?? []
  const found = (keys as { readonly [PREFIX]?: Json } | undefined)?.[PREFIX]
  return { operator, prefixes: Array.isArray(found) ? found : [] }
}

/** The longest that a name of the lake's own resources can be. */
const NAME = 63 + 'arn:aws-us-gov:s3:::'.length

/** Characters of JSON once references are resolved, at most. */
export function sizeOf(value: Json | undefined, region: string): number {
  if (value === undefined) return 0
  if (Array.isArray(value))
    return 2 + value.reduce((sum: number, one) => sum + sizeOf(one, region) + 1, 0)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).length
  const [key, inner] = Object.entries(value)[0] ?? []
  if (key === 'Fn::Join') {
    const parts = (inner as readonly [string, readonly Json[]])[1]
    return 2 + parts.reduce((sum: number, part) => sum + sizeOf(part, region) - 2, 0)
  }
  if (key === 'Ref') return 2 + (PSEUDO[String(inner)] ?? NAME)
  if (key === 'Fn::GetAtt') return 2 + NAME + 40
  return (
    1 +
    Object.entries(value).reduce(
      (sum, [name, one]) =>
        one === undefined ? sum : sum + JSON.stringify(name).length + 2 + sizeOf(one, region),
      0,
    )
  )
}

const PSEUDO: Readonly<Record<string, number>> = {
  'AWS::AccountId': 12,
  'AWS::Region': 14,
  'AWS::Partition': 10,
}
