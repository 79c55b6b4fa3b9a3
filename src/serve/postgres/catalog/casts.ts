import { quoteText } from '../../../define/sql/sql.js'
import { constantIn, nameIn, type Token } from '../sql/tokens.js'
import type { FunctionContext } from './functions.js'
import { rewrittenCall } from './functions.js'
import { numberOf } from './names.js'

/** Types of PostgreSQL that the engine knows by another name. */
const types: Readonly<Record<string, string>> = {
  name: 'VARCHAR',
  char: 'VARCHAR',
  bpchar: 'VARCHAR',
  cstring: 'VARCHAR',
  citext: 'VARCHAR',
  unknown: 'VARCHAR',
  anyarray: 'VARCHAR[]',
  oid: 'BIGINT',
  xid: 'BIGINT',
  cid: 'BIGINT',
  int2vector: 'SMALLINT[]',
  oidvector: 'BIGINT[]',
  jsonb: 'JSON',
  sql_identifier: 'VARCHAR',
  character_data: 'VARCHAR',
  yes_or_no: 'VARCHAR',
  cardinal_number: 'INTEGER',
}

const OBJECTS = /^reg(class|type|namespace|proc|procedure|oper|operator|role|config)$/

/** A type after `::` or AS, and where it ends. */
export interface NamedType {
  name: string
  isArray: boolean
  /** The token after it. */
  next: number
}

/**
 * A type that has to be written otherwise for the engine; `undefined` where it stays as it is.
 *
 * @param at where its name, or its schema, begins.
 */
export function foreignType(tokens: readonly Token[], at: number): NamedType | undefined {
  const schema = nameIn(tokens[at])
  const isQualified =
    (schema === 'pg_catalog' || schema === 'information_schema') && tokens[at + 1]?.text === '.'
  const first = isQualified ? at + 2 : at
  const token = tokens[first]
  const name = nameIn(token)
  if (!token || name === undefined) return undefined
  // Without quotes it is a type of the standard, with a length.
  const isOwn = name === 'char' ? token.kind === 'quoted' : name in types || OBJECTS.test(name)
  if (!isOwn && !isQualified) return undefined
  const isArray = tokens[first + 1]?.text === '[' && tokens[first + 2]?.text === ']'
  return { name, isArray, next: first + (isArray ? 3 : 1) }
}

/**
 * A value as such a type.
 *
 * @param operand its tokens, where it is one, which may be a constant.
 */
export function castSql(
  value: string,
  operand: Token | undefined,
  { name, isArray }: NamedType,
  context: FunctionContext,
): string {
  const constant = operand && (constantIn(operand) ?? context.constantOf(operand))
  if (OBJECTS.test(name)) return objectSql(value, { constant, operand, name }, context)
  const list = operand?.kind === 'string' ? listConstant(constant) : undefined
  const type = `${types[name] ?? name}${isArray ? '[]' : ''}`
  return `CAST(${isArray ? (list ?? value) : value} AS ${type})`
}

interface ObjectOperand {
  constant: string | undefined
  operand: Token | undefined
  name: string
}

/** What names an object stands for its number, and the other way round. */
function objectSql(
  value: string,
  { constant, operand, name }: ObjectOperand,
  context: FunctionContext,
): string {
  const isNamed = /^reg(class|type|namespace)$/.test(name)
  if (constant !== undefined)
    return isNamed ? String(numberOf(name, constant, context.visible)) : quoteText(constant)
  // A value that is not known yet, as a statement is only described.
  if (operand?.kind === 'parameter') return 'CAST(NULL AS BIGINT)'
  if (name === 'regtype') return rewrittenCall('format_type', [value, '-1'], context) ?? value
  if (name !== 'regclass') return `CAST(${value} AS VARCHAR)`
  const from = `${context.relation('pg_class')} AS c JOIN ${context.relation('pg_namespace')} AS n ON n.oid = c.relnamespace`
  return `(SELECT max(n.nspname || '.' || c.relname) FROM ${from} WHERE c.oid = (${value}))`
}

/** `'{a,b}'` as the engine writes lists. */
export function listConstant(text: string | undefined): string | undefined {
  const inside = text === undefined ? undefined : /^\{(.*)\}$/s.exec(text)?.[1]
  return inside === undefined ? undefined : quoteText(`[${inside}]`)
}
