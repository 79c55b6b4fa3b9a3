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

/** What of the lake a resource is for, such as `bronze.orders`, by its name in the template. */
export type OwnerOf = (id: string) => string | undefined
