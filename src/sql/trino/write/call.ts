import { nearest } from '../../../define/nearest.js'
import { functions, isAggregate, isWindowOnly, type Signature } from '../functions/functions.js'
import type { Expression, Over, Sorted } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import { shown } from '../types.js'
import { distinct } from './compare.js'
import { quote, type Scope } from './scope.js'
import { condition, type Writer, write } from './writer.js'
import type { Written } from './written.js'

type Call = Extract<Expression, { kind: 'call' }>

/** A call of a function that is on the list, with arguments of types that it is listed for. */
export function writeCall(node: Call, scope: Scope, writer: Writer): Written {
  const { name, at } = node
  const { statement } = writer
  const known = Object.hasOwn(functions, name)
    ? (functions[name] as readonly Signature[])
    : undefined
  if (!known) {
    const similar = nearest(name, Object.keys(functions))
    throw refuse(
      statement,
      at,
      `The function ${name} is not translated`,
      similar ? `Did you mean ${similar}?` : 'docs/guide/athena-on-a-laptop.md lists what is.',
    )
  }
  checkParts(node, writer)
  const isWithin = scope.isOrder && isAggregate(name) && !node.over
  const seen = isWithin ? { ...scope, isWithin } : scope
  const args = node.args.map((one) => write(one, seen, writer))
  const count = node.isStar ? 0 : args.length
  const found = known.find((one) => fits(one, args, count))
  if (!found) {
    const given = args.map(({ type, lambda }) =>
      lambda ? 'a lambda' : type ? shown(type) : 'a value of unknown type',
    )
    const takes = known.map((one) => `${name}(${one.takes.join(', ')}${one.more ? ', …' : ''})`)
    throw refuse(
      statement,
      at,
      `${name}(${given.join(', ')}) is not translated`,
      `It is for: ${takes.join('; ')}. Cast its arguments.`,
    )
  }
  const around = (inside: string) => `${inside}${suffixOf(node, scope, writer)}`
  const orderBy = node.orderBy.length > 0 ? ` ORDER BY ${sorted(node.orderBy, scope, writer)}` : ''
  const refused = (why: string, hint?: string) => refuse(statement, at, why, hint)
  if (node.distinct) for (const one of args) distinct(one.type, at, writer)
  const before = node.distinct ? 'DISTINCT ' : ''
  const site = { args, node, statement, distinct: before, orderBy, around, refused }
  const sql = found.write(
    args.map((one) => one.sql),
    site,
  )
  const type = typeof found.returns === 'function' ? found.returns(args, site) : found.returns
  return { sql, type, at }
}

/** What only some functions may have. */
function checkParts(node: Call, { statement }: Writer): void {
  const { name, at, over, filter, distinct, orderBy, isStar, ignoreNulls } = node
  const aggregate = isAggregate(name)
  const no = (what: string) => refuse(statement, at, `${what} cannot be used with ${name}`)
  if (isStar && name !== 'count') throw no('*')
  if (over && !aggregate && !isWindowOnly(name)) throw no('OVER')
  if (!over && isWindowOnly(name)) throw refuse(statement, at, `${name} needs OVER (…)`)
  if (filter && !aggregate) throw no('FILTER')
  if ((distinct || orderBy.length > 0) && !aggregate) throw no(distinct ? 'DISTINCT' : 'ORDER BY')
  if (distinct && over) throw no('DISTINCT with OVER')
  if (ignoreNulls && !['first_value', 'last_value', 'lag', 'lead', 'nth_value'].includes(name))
    throw no('IGNORE NULLS')
}

function fits(
  { takes, more, least = takes.length }: Signature,
  args: readonly Written[],
  count: number,
) {
  if (count < least || (count > takes.length && !more)) return false
  return args.every((one, i) => {
    const kind = takes[Math.min(i, takes.length - 1)] as string
    return isOf(kind, one)
  })
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  text: ['varchar', 'char'],
  integer: ['tinyint', 'smallint', 'integer', 'bigint'],
  double: ['double', 'real'],
  number: ['tinyint', 'smallint', 'integer', 'bigint', 'double', 'real', 'decimal'],
}

function isOf(kind: string, { type, word, lambda, sql }: Written): boolean {
  if (kind === 'lambda') return lambda !== undefined
  if (lambda) return false
  if (kind === 'any') return true
  // A constant text, one that says something.
  if (kind === 'word') return word !== undefined && type?.name === 'varchar'
  if (kind === 'count') return /^\d+$/.test(word ?? '') && /^\d+$/.test(sql)
  if (!type) return false
  if (type.name === 'unknown') return true
  return (KINDS[kind] ?? [kind]).includes(type.name)
}

function sorted(order: readonly Sorted[], scope: Scope, writer: Writer): string {
  return order.map(({ by, direction }) => `${write(by, scope, writer).sql} ${direction}`).join(', ')
}

function suffixOf({ filter, over }: Call, scope: Scope, writer: Writer): string {
  const filtered = filter ? ` FILTER (WHERE ${condition(filter, scope, writer)})` : ''
  return over ? `${filtered} OVER ${overSql(over, scope, writer)}` : filtered
}

/** A window, in brackets unless it is only a name. */
export function overSql(over: Over, scope: Scope, writer: Writer): string {
  const { name, partitionBy, orderBy, frame } = over
  if (name !== undefined && partitionBy.length + orderBy.length === 0 && !frame) return quote(name)
  const bound = ({ kind, by }: NonNullable<Over['frame']>['from']) =>
    `${by ? `${write(by, scope, writer).sql} ` : ''}${kind.toUpperCase()}`
  const parts = [
    ...(name === undefined ? [] : [quote(name)]),
    ...(partitionBy.length > 0
      ? [`PARTITION BY ${partitionBy.map((one) => write(one, scope, writer).sql).join(', ')}`]
      : []),
    ...(orderBy.length > 0 ? [`ORDER BY ${sorted(orderBy, scope, writer)}`] : []),
    ...(frame
      ? [
          `${frame.unit} ${frame.to ? `BETWEEN ${bound(frame.from)} AND ${bound(frame.to)}` : bound(frame.from)}`,
        ]
      : []),
  ]
  return `(${parts.join(' ')})`
}
