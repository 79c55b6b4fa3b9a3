import type { ParameterValues } from '../engine/engine.js'

/** Texts, names in quotes, comments, and what stands between dollars: nothing in them is a name. */
const quoted =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|::|[[\]{}]|:([A-Za-z_]\w*)/g

/**
 * Parameters written as `:name`, as the engine has them: `$name`. Within brackets a colon is part
 * of a slice or a struct, so that there only `$name` is one.
 */
export function withNamed(
  sql: string,
  parameters: ParameterValues | undefined,
): { sql: string; parameters: ParameterValues | undefined } {
  if (parameters === undefined || Array.isArray(parameters)) return { sql, parameters }
  let depth = 0
  const text = sql.replace(quoted, (found, _tag, name: string | undefined) => {
    if (found === '[' || found === '{') depth++
    if (found === ']' || found === '}') depth--
    return name !== undefined && depth <= 0 && Object.hasOwn(parameters, name) ? `$${name}` : found
  })
  return { sql: text, parameters }
}
