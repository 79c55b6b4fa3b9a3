import type { ParameterValues } from '../../engine/engine.js'

/**
 * Texts, names in quotes, comments, and what stands between dollars: nothing in them is a name.
 * What has no end goes on to that of the SQL, so that it is not looked for from each beginning.
 */
const quoted =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|::|[[\]{}]|:([A-Za-z_]\w*)/g

/**
 * Parameters written as `:name`, as the engine has them: `$name`. Within brackets a colon is part
 * of a slice or a struct, so that there only `$name` is one.
 */
export function withNamed(
  sql: string,
  parameters: ParameterValues | undefined,
): { sql: string; parameters: ParameterValues | undefined } {
  if (parameters === undefined || Array.isArray(parameters)) return { sql, parameters }
  return { sql: replaced(sql, (name) => Object.hasOwn(parameters, name)), parameters }
}

/**
 * The same where no values are known: whatever looks like a parameter is one.
 *
 * @param names has their names afterwards.
 */
export function withAnyNamed(sql: string, names: string[] = []): string {
  return replaced(sql, (name) => names.push(name) > 0)
}

function replaced(sql: string, isParameter: (name: string) => boolean): string {
  let depth = 0
  return sql.replace(quoted, (found, _tag, name: string | undefined) => {
    if (found === '[' || found === '{') depth++
    if (found === ']' || found === '}') depth--
    return name !== undefined && depth <= 0 && isParameter(name) ? `$${name}` : found
  })
}
