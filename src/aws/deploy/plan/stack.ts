/** What deployment needs to know of a template; the rest of it is CloudFormation's. */
export interface Resource {
  Type: string
  Properties?: Readonly<Record<string, unknown>>
  DeletionPolicy?: string
  UpdateReplacePolicy?: string
  Metadata?: Readonly<Record<string, unknown>>
}

export interface Template {
  Resources: Readonly<Record<string, Resource>>
  Parameters?: Readonly<Record<string, unknown>>
  Metadata?: Readonly<Record<string, unknown>>
  Outputs?: Readonly<Record<string, unknown>>
}

/** A stack as it is to be; those of a lake are made in their order. */
export interface Stack {
  name: string
  /**
   * `base`: what holds data, and the bucket that code and long templates lie in. It is made first,
   * and stays.
   */
  phase: 'base' | 'rest'
  template: Template
  /** Values that whoever deploys gives: `CodeKey`, where in the bucket the code lies. */
  parameters: readonly string[]
}

/** JSON whose keys are in order, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** The same for a value whose lists are sets, as in a policy: their order does not matter. */
export function asSets(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items = value.map((item) => [canonical(asSets(item)), asSets(item)] as const)
    return items.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item)
  }
  // Arguments of functions of CloudFormation have an order.
  const each = Object.entries(value).map(([name, part]) =>
    name.startsWith('Fn::') ? [name, part] : [name, asSets(part)],
  )
  return Object.fromEntries(each)
}

/** What of the lake a resource is for, such as `bronze.orders`, by its name in the template. */
export type OwnerOf = (id: string) => string | undefined
