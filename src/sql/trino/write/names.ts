import type { Expression } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import type { TrinoType } from '../types.js'
import { type Context, type Field, folded, quote, type Scope } from './scope.js'
import type { Written } from './written.js'

/** A column, or a field of one: `a`, `t.a`, `t.a.b`. */
export function writeName(
  { parts, at }: Extract<Expression, { kind: 'name' }>,
  scope: Scope,
  context: Context,
): Written {
  for (let seen: Scope | undefined = scope; seen; seen = seen.outer) {
    const found = lookUp(parts, seen)
    if (found.length > 0 && seen.isWithin)
      throw refuse(
        context.statement,
        at,
        'Invalid reference to output projection attribute from ORDER BY aggregation',
        'Name the column with its table: t.column',
      )
    if (found.length > 1)
      throw refuse(context.statement, at, `Column '${parts.join('.')}' is ambiguous`)
    const [one] = found
    if (one) return fieldsOf(one.field, one.rest, at, context)
  }
  throw refuse(
    context.statement,
    at,
    `Column '${parts.join('.')}' cannot be resolved`,
    'Name a column of a table in FROM; a text stands in single quotes.',
  )
}

function lookUp(parts: readonly string[], { fields, lambda }: Scope) {
  const names = parts.map(folded)
  const [first = '', second] = names
  const parameter = lambda?.get(first)
  if (parameter) return [{ field: parameter, rest: parts.slice(1) }]
  const qualified = fields.filter(
    (one) => second !== undefined && one.relation === first && folded(one.name) === second,
  )
  if (qualified.length > 0) return qualified.map((field) => ({ field, rest: parts.slice(2) }))
  // `schema.table.column`
  const [, , third] = names
  const deep = fields.filter(
    (one) => third !== undefined && one.relation === second && folded(one.name) === third,
  )
  if (deep.length > 0) return deep.map((field) => ({ field, rest: parts.slice(3) }))
  return fields
    .filter((one) => folded(one.name) === first)
    .map((field) => ({ field, rest: parts.slice(1) }))
}

function fieldsOf(field: Field, rest: readonly string[], at: number, context: Context): Written {
  const whole: Written = { sql: field.sql, type: field.type, at, isPlain: true }
  return rest.reduce((of, name) => fieldOf(of, name, at, context), whole)
}

/** A field of a row. */
export function fieldOf(of: Written, name: string, at: number, { statement }: Context): Written {
  const type = fieldType(of.type, name)
  if (!type) throw refuse(statement, at, `Field '${name}' cannot be resolved`)
  return {
    sql: `${of.isPlain ? of.sql : `(${of.sql})`}.${quote(name)}`,
    type,
    at,
    isPlain: of.isPlain ?? false,
  }
}

function fieldType(of: TrinoType | undefined, name: string): TrinoType | undefined {
  const index = of?.fields?.findIndex(
    (field) => field !== undefined && folded(field) === folded(name),
  )
  return index === undefined || index < 0 ? undefined : of?.of?.[index]
}
