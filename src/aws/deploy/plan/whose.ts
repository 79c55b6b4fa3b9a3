import { IDS } from '../../template/context.js'
import type { Template } from './stack.js'

/** The names of what a lake gives its other stacks begin so: see `template/stacks`. */
export const baseOf = (prefix: string) => `${prefix}-base`

/**
 * Whether the stack of a name that a lake would give is another lake's: `shop-2` is the second one
 * of `shop`, or the first one of `shop-2`. What a stack imports tells whose it is.
 */
export function isOfAnother(template: Template, name: string, prefix: string): boolean {
  const imports = [...JSON.stringify(template.Resources).matchAll(IMPORT)].map(([, from]) => from)
  if (name === baseOf(prefix)) return imports.length > 0
  if (IDS.bucket in template.Resources) return true
  return imports.length > 0 && !imports.some((from) => from?.startsWith(`${baseOf(prefix)}-`))
}

const IMPORT = /"Fn::ImportValue":"([^"]*)"/g
