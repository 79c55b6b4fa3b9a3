import type { ParameterValues, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { AstNode } from '../../plan/ast.js'
import { parsed } from '../../sql/guard.js'
import { withAnyNamed } from './named.js'

const isByNames = (values: ParameterValues | undefined): values is Record<string, RowValue> =>
  values !== undefined && !Array.isArray(values)

/**
 * Refuses a text whose parser stumbles over a `:name` that has no value.
 *
 * @param known what the parser says of it, and of any other text.
 * @throws MoraineError of kind `query`.
 */
export async function refuseUnnamed(
  sql: string,
  values: ParameterValues | undefined,
  { tree, treeOf }: { tree: string; treeOf: (text: string) => Promise<string> },
): Promise<void> {
  if (!parsed(tree).error) return
  const names: string[] = []
  const named = withAnyNamed(sql, names)
  // Whatever else is wrong with it is told by the parser.
  if (names.length > 0 && !parsed(await treeOf(named)).error)
    throw noValue(`:${names.find((name) => !hasValue(name, values)) ?? names[0]}`, values)
}

const hasValue = (name: string, values: ParameterValues | undefined) =>
  isByNames(values) && Object.keys(values).some((one) => one.toLowerCase() === name.toLowerCase())

/**
 * Whether the values are those that a query takes.
 *
 * @param taken its parameters, as the parser has them.
 * @throws MoraineError of kind `query` that says which is missing, or one too many.
 */
export function checkValues(taken: readonly AstNode[], values: ParameterValues | undefined): void {
  const names = [...new Set(taken.map(nameOf))]
  const numbers = names.filter((name) => /^\d+$/.test(name)).map(Number)
  if (isByNames(values)) {
    if (numbers.length > 0)
      throw new MoraineError('query', 'The query has ? in the place of values, which have names', {
        hint: `Write :${Object.keys(values)[0] ?? 'name'} in the query, or give values in their order.`,
      })
    const missing = names.find((name) => !hasValue(name, values))
    if (missing !== undefined) throw noValue(`:${missing}`, values)
    const all = new Set(names.map((name) => name.toLowerCase()))
    const other = Object.keys(values).find((name) => !all.has(name.toLowerCase()))
    if (other === undefined) return
    const own = names.map((name) => `:${name}`).join(', ')
    throw new MoraineError('query', `The query has no parameter :${other}`, {
      hint: own === '' ? 'It has none: leave the value out.' : `It has: ${own}`,
    })
  }
  const named = names.find((name) => !/^\d+$/.test(name))
  if (named !== undefined) throw noValue(`:${named}`, values)
  const [count, given] = [Math.max(0, ...numbers), values?.length ?? 0]
  if (count === given) return
  const [takes, are] = [plural(count, 'parameter'), given === 1 ? 'is' : 'are']
  throw new MoraineError(
    'query',
    `The query takes ${takes}, and there ${are} ${plural(given, 'value')}`,
    { hint: given < count ? GIVE : 'Leave out those that it does not take.' },
  )
}

const GIVE =
  'Give a value for each ?, in their order: "parameters": ["paid"] over HTTP, --param paid on the command line.'

function noValue(name: string, values: ParameterValues | undefined): MoraineError {
  const given = isByNames(values) ? Object.keys(values).map((one) => `:${one}`) : []
  const others = given.length > 0 ? ` There are values of: ${given.join(', ')}` : ''
  const key = name.slice(1)
  return new MoraineError('query', `There is no value for ${name}`, {
    hint: `Give one by its name: "parameters": {"${key}": "paid"} over HTTP, --param ${key}=paid on the command line.${others}`,
  })
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`

/**
 * Makes parameters the constants that they stand for, so that they choose files as those do: in
 * the tree alone, which nothing is run from.
 */
export function bindValues(
  taken: readonly AstNode[],
  values: ParameterValues | undefined,
  nodes: readonly AstNode[],
): void {
  if (values === undefined) return
  const found = new Map(
    isByNames(values)
      ? Object.entries(values).map(([name, value]) => [name.toLowerCase(), value])
      : values.map((value, i) => [String(i + 1), value]),
  )
  const cast = new Set(nodes.flatMap((node) => (node.class === 'CAST' ? [node.child] : [])))
  for (const node of taken) {
    const value = found.get(nameOf(node).toLowerCase())
    // The engine makes of a text what it is compared with. Nothing is chosen by one that may be
    // a text itself, or is read somehow.
    if (typeof value === 'string' && !cast.has(node) && !MOMENT.test(value)) continue
    const constant = constantOf(value)
    if (constant)
      Object.assign(node, {
        class: 'CONSTANT',
        type: 'VALUE_CONSTANT',
        value: constant,
      })
  }
}

/** A day, or a time of one, as ISO 8601 has it. */
const MOMENT =
  /^\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d(?::\d\d)?)?)?$/

const nameOf = ({ identifier }: AstNode): string => String(identifier)

/** A value as the parser gives a constant; `undefined` for one by which nothing is chosen. */
function constantOf(value: RowValue | undefined) {
  const id = typeOf(value)
  return id && { type: { id, type_info: null }, is_null: false, value: plain(value) }
}

const plain = (value: RowValue | undefined) => (typeof value === 'bigint' ? String(value) : value)

function typeOf(value: RowValue | undefined): string | undefined {
  if (typeof value === 'string') return 'VARCHAR'
  if (typeof value === 'boolean') return 'BOOLEAN'
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'BIGINT' : undefined
  if (typeof value !== 'number') return undefined
  return Number.isSafeInteger(value) ? 'BIGINT' : 'DOUBLE'
}
