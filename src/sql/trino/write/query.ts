import type { Body, Expression, Grouping, Query, Select, SelectItem } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import { common, shown, type TrinoType } from '../types.js'
import { overSql } from './call.js'
import { distinct } from './compare.js'
import { writeRelation } from './relation.js'
import { type Field, folded, type Named, quote, type Scope } from './scope.js'
import { condition, type QueryWriter, type Writer, type WrittenQuery, write } from './writer.js'
import type { Written } from './written.js'

/** A query as the engine has it. */
export function writeQuery(
  query: Query,
  outer: Scope,
  named: Named,
  writer: QueryWriter,
): WrittenQuery {
  const { parts, seen } = subqueries(query, outer, named, writer)
  const inner = { ...writer, query: nested(writer, seen) }
  const isSimple = query.orderBy.every(({ by }) => isColumn(by))
  const made = sortable(writeBody(query.body, outer, seen, inner), isSimple)
  const { sql, fields, from } = made
  const number = (one: Expression | undefined, word: string) => {
    if (!one) return ''
    const { word: value, type, at } = write(one, { fields: [] }, inner)
    if (!/^\d+$/.test(value ?? '') || type?.name === 'varchar')
      throw refuse(writer.statement, at, `${word} needs a whole number`)
    return ` ${word} ${value}`
  }
  const scope = orderScope(made, outer)
  const order = query.orderBy.map(
    ({ by, direction }) => `${ordered(by, made, scope, inner)} ${direction}`,
  )
  const orderBy = order.length > 0 ? ` ORDER BY ${order.join(', ')}` : ''
  const end = `${orderBy}${number(query.limit, 'LIMIT')}${number(query.offset, 'OFFSET')}`
  const before =
    parts.length > 0 ? `WITH ${query.recursive ? 'RECURSIVE ' : ''}${parts.join(', ')} ` : ''
  return { sql: `${before}${sql}${end}`, fields, ...(from && end === '' ? { from } : {}) }
}

/** Whether it is a column by its number or its name alone. */
const isColumn = (by: Expression) =>
  by.kind === 'literal' || (by.kind === 'name' && by.parts.length === 1)

/** Rows of several queries are sorted by an expression once they are one table. */
const sortable = (made: WrittenQuery, isSimple: boolean): WrittenQuery =>
  made.isWhole && !isSimple ? { ...made, sql: `SELECT * FROM (${made.sql}) AS "m rows"` } : made

const nested =
  (writer: QueryWriter, named: Named): Writer['query'] =>
  (query, outer) => {
    const { sql, fields } = writer.whole(query, outer, named)
    return { sql, types: fields.map(({ type }) => type) }
  }

/** The subqueries of WITH, each of which sees those before it. */
function subqueries(query: Query, outer: Scope, named: Named, writer: QueryWriter) {
  const seen = new Map(named)
  const parts = query.with.map(({ name, columns, query: own }) => {
    if (query.recursive && refersTo(own, name))
      throw refuse(
        writer.statement,
        own.body.at,
        'WITH RECURSIVE is not translated',
        'Write it in DuckDB’s dialect.',
      )
    const { sql, fields } = writer.whole(own, outer, seen)
    if (columns && columns.length !== fields.length)
      throw refuse(
        writer.statement,
        own.body.at,
        `'${name}' has ${fields.length} columns, and not ${columns.length}`,
      )
    seen.set(
      folded(name),
      fields.map((one, i) => ({ ...one, name: columns?.[i] ?? one.name })),
    )
    return `${quote(name)}${columns ? `(${columns.map(quote).join(', ')})` : ''} AS (${sql})`
  })
  return { parts, seen }
}

const refersTo = (query: Query, name: string) =>
  JSON.stringify(query, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    .toLowerCase()
    .includes(`"parts":["${folded(name)}"]`)

/**
 * What ORDER BY sees: columns of the query first. Within an expression the engine would take those
 * of FROM for them, so that what a column is made of stands there for its name.
 */
function orderScope(made: WrittenQuery, outer: Scope): Scope {
  const columns = made.fields.map((one, i) => {
    const item = made.items?.[i]
    return { ...one, sql: item === undefined ? quote(one.name) : bracketed(item) }
  })
  return { fields: columns, outer: made.from ?? outer, isOrder: true }
}

const bracketed = (sql: string) => (/^("[^"]*"\.?)+$/.test(sql) ? sql : `(${sql})`)

/** Another value each time that it is computed. */
const CHANCE = /\b(random|gen_random_uuid)\(/

/** What is sorted by: a column by its number or name, or an expression. */
function ordered(by: Expression, made: WrittenQuery, scope: Scope, writer: Writer): string {
  const { fields } = made
  if (by.kind === 'literal' && by.type.name === 'integer') {
    const index = Number(by.value)
    if (index < 1 || index > fields.length)
      throw refuse(writer.statement, by.at, `ORDER BY position ${index} is not in select list`)
    return String(index)
  }
  if (by.kind === 'name' && by.parts.length === 1) {
    const same = fields.filter((one) => folded(one.name) === folded(by.parts[0] as string))
    // Several columns of one name, of which each could be meant.
    if (same.length > 1) return write(by, scope.outer ?? scope, writer).sql
    if (same.length === 1) return quote(same[0]?.name as string)
  }
  const { sql } = write(by, scope, writer)
  if (made.items?.some((item) => CHANCE.test(item) && sql.includes(item)))
    throw refuse(
      writer.statement,
      by.at,
      'ORDER BY an expression of a column of chance is not translated',
      'Sort a query of it: SELECT * FROM (…) ORDER BY …',
    )
  if (made.isDistinct && !made.items?.includes(sql))
    throw refuse(
      writer.statement,
      by.at,
      'For SELECT DISTINCT, ORDER BY expressions must appear in select list',
      'Sort by the name or the number of a column, or write the expression into the list.',
    )
  return sql
}

function writeBody(body: Body, outer: Scope, named: Named, writer: QueryWriter): WrittenQuery {
  switch (body.kind) {
    case 'select':
      return writeSelect(body, outer, named, writer)
    case 'nested': {
      const { sql, fields } = writer.whole(body.query, outer, named)
      return { sql: `(${sql})`, fields, isWhole: true }
    }
    case 'values':
      return writeValues(body, outer, writer)
    case 'set': {
      const [a, b] = [body.left, body.right].map((one) => writeBody(one, outer, named, writer)) as [
        WrittenQuery,
        WrittenQuery,
      ]
      if (a.fields.length !== b.fields.length)
        throw refuse(
          writer.statement,
          body.at,
          `${body.operator} query has different number of fields: ${a.fields.length}, ${b.fields.length}`,
        )
      const fields = a.fields.map((one, i) => ({
        name: one.name,
        type: agreed([one.type, b.fields[i]?.type], body, i, writer),
      }))
      if (!body.all) for (const { type } of fields) distinct(type, body.at, writer)
      const sql = `${a.sql} ${body.operator}${body.all ? ' ALL' : ''} ${b.sql}`
      return { sql, fields, isWhole: true }
    }
  }
}

function agreed(
  [a, b]: readonly (TrinoType | undefined)[],
  body: { operator: string; at: number },
  i: number,
  { statement }: Writer,
) {
  const found = common(a, b)
  if (a && b && !found)
    throw refuse(
      statement,
      body.at,
      `column ${i + 1} in ${body.operator} query has incompatible types: ${shown(a)}, ${shown(b)}`,
    )
  return found
}

function writeValues(
  body: Extract<Body, { kind: 'values' }>,
  outer: Scope,
  writer: Writer,
): WrittenQuery {
  const rows = body.rows.map((row) =>
    (row.kind === 'row' ? row.items : [row]).map((one) => write(one, outer, writer)),
  )
  const [first = []] = rows
  if (rows.some((row) => row.length !== first.length))
    throw refuse(writer.statement, body.at, 'Rows of VALUES have different numbers of values')
  const types = first.map((_, i) =>
    rows
      .slice(1)
      .reduce(
        (found, row) =>
          agreed([found, row[i]?.type], { operator: 'VALUES', at: body.at }, i, writer),
        first[i]?.type,
      ),
  )
  const fields = types.map((type, i) => ({ name: `_col${i}`, type }))
  const written = rows.map((row) => `(${row.map((one) => one.sql).join(', ')})`).join(', ')
  return {
    sql: `SELECT * FROM (VALUES ${written}) AS "v"(${fields.map(({ name }) => quote(name)).join(', ')})`,
    fields,
  }
}

function writeSelect(
  select: Select,
  outer: Scope,
  named: Named,
  writer: QueryWriter,
): WrittenQuery {
  const from: string[] = []
  let fields: readonly Field[] = []
  for (const relation of select.from) {
    // What comes later may name what comes before, where it is LATERAL or UNNEST.
    const written = writeRelation(relation, { fields, outer }, named, writer)
    from.push(`${relation.kind === 'unnest' && from.length > 0 ? 'LATERAL ' : ''}${written.sql}`)
    fields = [...fields, ...written.fields]
  }
  const scope: Scope = { fields, outer }
  const items = select.items.flatMap((item) => itemsOf(item, scope, writer))
  const columns = items.map(({ name, written }, i) => ({
    name: name ?? `_col${i}`,
    type: written.type,
  }))
  for (const { written, at } of items) {
    if (written.lambda)
      throw refuse(writer.statement, at, 'A lambda can only be an argument of a function')
    if (select.distinct) distinct(written.type, at, writer)
  }
  const parts = [
    `SELECT ${select.distinct ? 'DISTINCT ' : ''}${items.map(({ written }, i) => `${written.sql} AS ${quote(columns[i]?.name as string)}`).join(', ')}`,
    ...(from.length > 0 ? [`FROM ${from.join(', ')}`] : []),
    ...(select.where ? [`WHERE ${condition(select.where, scope, writer)}`] : []),
    ...(select.groupBy ? [`GROUP BY ${groups(select, items, scope, writer)}`] : []),
    ...(select.having ? [`HAVING ${condition(select.having, scope, writer)}`] : []),
    ...(select.windows.length > 0
      ? [
          `WINDOW ${select.windows.map(({ name, over }) => `${quote(name)} AS ${overSql(over, scope, writer)}`).join(', ')}`,
        ]
      : []),
  ]
  return {
    sql: parts.join(' '),
    fields: columns,
    from: scope,
    items: items.map(({ written }) => written.sql),
    isDistinct: select.distinct,
  }
}

interface Item {
  name: string | undefined
  written: Written
  at: number
}

function itemsOf(item: SelectItem, scope: Scope, writer: Writer): Item[] {
  const { at } = item
  if (item.kind === 'value') {
    const { value, alias } = item
    const own = value.kind === 'name' || value.kind === 'field' ? lastOf(value) : undefined
    return [{ name: alias ?? own, written: write(value, scope, writer), at }]
  }
  const { of } = item
  const meant = scope.fields.filter((one) => of === undefined || one.relation === folded(of))
  if (meant.length === 0)
    throw refuse(
      writer.statement,
      at,
      of === undefined
        ? 'SELECT * not allowed from relation that has no columns'
        : `There is no table '${of}' in FROM`,
    )
  return meant.map(({ name, sql, type }) => ({ name, written: { sql, type, at }, at }))
}

const lastOf = (value: Extract<Expression, { kind: 'name' | 'field' }>) =>
  value.kind === 'name' ? value.parts.at(-1) : value.name

function groups(
  { at, groupBy }: Select,
  items: readonly Item[],
  scope: Scope,
  writer: Writer,
): string {
  if (groupBy?.distinct)
    throw refuse(
      writer.statement,
      at,
      'GROUP BY DISTINCT is not translated',
      'Name each set of columns once: GROUP BY GROUPING SETS (…)',
    )
  return (groupBy?.elements ?? []).map((one) => grouped(one, items, scope, writer)).join(', ')
}

/** What is grouped by: numbers are those of columns. */
function grouped(element: Grouping, items: readonly Item[], scope: Scope, writer: Writer): string {
  const one = (by: Expression) => {
    if (by.kind !== 'literal' || by.type.name !== 'integer') {
      const { sql, type } = write(by, scope, writer)
      distinct(type, by.at, writer)
      return sql
    }
    if (element.kind !== 'by')
      throw refuse(
        writer.statement,
        by.at,
        'GROUP BY expression must be a column reference',
        'Name the column: numbers stand outside of ROLLUP, CUBE and GROUPING SETS alone.',
      )
    const found = items[Number(by.value) - 1]
    if (!found)
      throw refuse(writer.statement, by.at, `GROUP BY position ${by.value} is not in select list`)
    distinct(found.written.type, by.at, writer)
    return by.value
  }
  const set = (list: readonly Expression[]) => `(${list.map(one).join(', ')})`
  if (element.kind === 'by')
    return element.items.length === 1
      ? one(element.items[0] as Expression)
      : element.items.map(one).join(', ')
  const word = { rollup: 'ROLLUP', cube: 'CUBE', sets: 'GROUPING SETS' }[element.kind]
  return `${word} (${element.items.map(set).join(', ')})`
}
