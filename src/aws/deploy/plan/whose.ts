import { IDS } from '../../template/context.js'
import type { Template } from './stack.js'

/** The names of what a lake gives its other stacks begin so: see `template/stacks`. */
export const baseOf = (prefix: string) => `${prefix}-base`

/**
 * Whether the stack of a name that a lake would give is another lake's: `shop-2` is the second one
 * of `shop`, or the first one of `shop-2`. What a stack imports tells whose it is; one that imports
 * nothing is no lake's.
 */
export function isOfAnother(template: Template, name: string, prefix: string): boolean {
  const imports = [...JSON.stringify(template.Resources).matchAll(IMPORT)].map(([, from]) => from)
  if (name === baseOf(prefix)) return imports.length > 0
  if (IDS.bucket in template.Resources) return true
  if (isEmptied(template)) return false
  return !imports.some((from) => from?.startsWith(`${baseOf(prefix)}-`))
}

/** What is left of a stack that no job needs any more: it has to have something, which is this. */
export const EMPTIED: Template = {
  Resources: { Nothing: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
}

const isEmptied = ({ Resources }: Template) =>
  Object.keys(Resources).join() === Object.keys(EMPTIED.Resources).join()

const IMPORT = /"Fn::ImportValue":"([^"]*)"/g
