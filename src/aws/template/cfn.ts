/*
 * CloudFormation as data. What one resource says of another is a `Ref` or an `Fn::GetAtt`; where
 * the other lies in an earlier stack, `stacks` makes an import of it.
 */

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined }

export interface Resource {
  readonly Type: string
  readonly Properties?: { readonly [name: string]: Json | undefined }
  readonly DependsOn?: readonly string[]
  readonly DeletionPolicy?: 'Retain'
  readonly UpdateReplacePolicy?: 'Retain'
  readonly Metadata?: { readonly [name: string]: Json | undefined }
}

export type Resources = Readonly<Record<string, Resource>>

export interface Template {
  readonly AWSTemplateFormatVersion: '2010-09-09'
  readonly Description: string
  readonly Parameters?: Readonly<Record<string, Json>>
  readonly Resources: Resources
  readonly Outputs?: Readonly<Record<string, Json>>
}

export const ref = (id: string) => ({ Ref: id })

export const att = (id: string, attribute = 'Arn') => ({ 'Fn::GetAtt': [id, attribute] })

/** Texts and references, one behind the other. */
export const join = (...parts: readonly Json[]) => ({ 'Fn::Join': ['', parts] })

/** The account, region and partition that a stack is in. */
export const account = ref('AWS::AccountId')
export const region = ref('AWS::Region')
export const partition = ref('AWS::Partition')

/** A text in which `{account}`, `{region}` and `{partition}` stand for those of the stack. */
export function text(pattern: string): Json {
  const parts = pattern
    .split(/(\{(?:account|region|partition)\})/)
    .filter((part) => part !== '')
    .map((part) => PSEUDO[part] ?? part)
  return parts.length === 1 ? (parts[0] as Json) : join(...parts)
}

const PSEUDO: Readonly<Record<string, Json>> = {
  '{account}': account,
  '{region}': region,
  '{partition}': partition,
}

/** The ARN of what has a name: `arn('sqs', 'orders.fifo')`. */
export const arn = (service: string, rest: string) =>
  text(`arn:{partition}:${service}:{region}:{account}:${rest}`)

/** What holds data stays when its stack or its line in `lake.ts` goes. */
export function retained(resource: Resource): Resource {
  return { ...resource, DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' }
}

/**
 * Notes why rules of linters don't hold for a resource, where those look for it: checkov's
 * (`CKV_…`) and cdk-nag's (`AwsSolutions-…`).
 */
export function explained(resource: Resource, reasons: Readonly<Record<string, string>>): Resource {
  const all = Object.entries(reasons)
  const checkov = all.filter(([id]) => id.startsWith('CKV'))
  const nag = all.filter(([id]) => !id.startsWith('CKV'))
  return {
    ...resource,
    Metadata: {
      ...resource.Metadata,
      ...(checkov.length > 0
        ? { checkov: { skip: checkov.map(([id, comment]) => ({ id, comment })) } }
        : {}),
      ...(nag.length > 0
        ? { cdk_nag: { rules_to_suppress: nag.map(([id, reason]) => ({ id, reason })) } }
        : {}),
    },
  }
}

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: Json
  readonly Action: string | readonly string[]
  readonly Resource?: Json
  readonly Condition?: Json
}

/** A document of statements, each of which is JSON. */
export const policy = (statements: readonly Statement[]): Json => ({
  Version: '2012-10-17',
  Statement: statements as unknown as Json,
})

/** Who is a service of AWS, or one of some. */
export const service = (name: string | readonly string[]) => ({ Service: name })
