import type { Relation } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import { BIGINT, type TrinoType } from '../types.js'
import { comparable, compared, isToldApart } from './compare.js'
import { type Field, folded, type Named, quote, type Scope } from './scope.js'
import { condition, type QueryWriter, type Writer, write } from './writer.js'
import type { Written } from './written.js'

/** What stands in FROM, and the columns that it has. */
export interface WrittenRelation {
  sql: string
  fields: readonly Field[]
}

type Of<K extends Relation['kind']> = Extract<Relation, { kind: K }>

/** @param outer what is seen of queries around, and of relations before. */
export function writeRelation(
  node: Relation,
  outer: Scope,
  named: Named,
  writer: QueryWriter,
): WrittenRelation {
  switch (node.kind) {
    case 'table':
      return table(node, outer, named, writer)
    case 'query': {
      const { sql, fields } = writer.whole(node.query, outer, named)
      return aliased(node, `${node.lateral ? 'LATERAL ' : ''}(${sql})`, fields, writer)
    }
    case 'unnest':
      return unnest(node, outer, writer)
    case 'function':
      return tableFunction(node, writer)
    case 'join':
      return join(node, outer, named, writer)
    case 'inside': {
      const { sql, fields } = writeRelation(node.of, outer, named, writer)
      if (node.alias)
        throw refuse(writer.statement, node.at, 'Joins in brackets have no alias here')
      // The engine takes no brackets around a table alone.
      return { sql: node.of.kind === 'join' ? `(${sql})` : sql, fields }
    }
  }
}

function table(node: Of<'table'>, outer: Scope, named: Named, writer: Writer): WrittenRelation {
  const { parts, at, sample } = node
  const name = parts.at(-1) as string
  const columns = parts.length === 1 ? named.get(folded(name)) : undefined
  const found = columns ? { sql: quote(name), columns } : writer.table(parts, at)
  if (sample && outer.fields.length >= 0)
    throw refuse(
      writer.statement,
      at,
      'TABLESAMPLE is not translated',
      'Filter the rows: WHERE random() < 0.1',
    )
  return aliased({ ...node, alias: node.alias ?? { name } }, found.sql, found.columns, writer)
}

/** A relation by the name that it has from here on. */
function aliased(
  { alias, at }: Pick<Relation, 'alias' | 'at'>,
  sql: string,
  columns: readonly { name: string; type: TrinoType | undefined }[],
  { statement }: Writer,
): WrittenRelation {
  if (!alias)
    return { sql, fields: columns.map(({ name, type }) => ({ name, type, sql: quote(name) })) }
  const { name, columns: given } = alias
  if (given && given.length !== columns.length)
    throw refuse(
      statement,
      at,
      `Column alias list has ${given.length} entries but '${name}' has ${columns.length} columns available`,
    )
  const fields = columns.map((column, i) => {
    const own = given?.[i] ?? column.name
    return {
      relation: folded(name),
      name: own,
      type: column.type,
      sql: `${quote(name)}.${quote(own)}`,
    }
  })
  return {
    sql: `${sql} AS ${quote(name)}${given ? `(${given.map(quote).join(', ')})` : ''}`,
    fields,
  }
}

/** Elements of arrays and maps as rows, side by side: the shorter ones are filled with NULL. */
function unnest(node: Of<'unnest'>, outer: Scope, writer: Writer): WrittenRelation {
  const items = node.items.map((one) => write(one, outer, writer))
  const inner: string[] = []
  const picked: string[] = []
  const types: (TrinoType | undefined)[] = []
  const take = (sql: string, type: TrinoType | undefined) => {
    picked.push(`${sql} AS ${quote(`_col${types.length}`)}`)
    types.push(type)
  }
  for (const [i, { sql, type, at }] of items.entries()) {
    const of = type?.of?.[0]
    if (type?.name === 'map') {
      inner.push(`unnest(map_entries(${sql})) AS "i${i}"`)
      take(`"i${i}"."key"`, of)
      take(`"i${i}"."value"`, type.of?.[1])
      continue
    }
    if (type?.name !== 'array')
      throw refuse(
        writer.statement,
        at,
        'UNNEST takes arrays and maps',
        'Cast it: CAST(… AS array(varchar))',
      )
    inner.push(`unnest(${sql}) AS "i${i}"`)
    if (of?.name === 'row')
      for (const [f, one] of (of.of ?? []).entries())
        take(`struct_extract_at("i${i}", ${f + 1})`, one)
    else take(`"i${i}"`, of)
  }
  if (node.ordinality) {
    const sizes = items.map(
      ({ sql, type }) => `coalesce(${type?.name === 'map' ? 'cardinality' : 'len'}(${sql}), 0)`,
    )
    inner.push(`unnest(range(1, CAST(greatest(${sizes.join(', ')}) AS BIGINT) + 1)) AS "n"`)
    take('"n"', BIGINT)
  }
  const columns = types.map((type, i) => ({ name: `_col${i}`, type }))
  const sql = `(SELECT ${picked.join(', ')} FROM (SELECT ${inner.join(', ')}) AS "u")`
  return aliased(node, sql, columns, writer)
}

/** Numbers one after another, as Trino's function of tables gives them. */
function tableFunction(node: Of<'function'>, writer: Writer): WrittenRelation {
  const { name, args, at } = node
  const wrong = (why: string, hint?: string) => refuse(writer.statement, at, why, hint)
  if (name !== 'sequence' && name !== 'system.builtin.sequence')
    throw wrong(
      `The table function ${name} is not translated`,
      'sequence is: TABLE(sequence(start => 1, stop => 9))',
    )
  const places = ['start', 'stop', 'step']
  const given = new Map(args.map((one, i) => [one.name ?? places[i], one.value]))
  const strange = [...given.keys()].find((one) => one === undefined || !places.includes(one))
  if (args.length > places.length || strange !== undefined || given.size < args.length)
    throw wrong('sequence takes start, stop and step')
  const [start = 0, stop, step = 1] = places.map((place) => {
    const value = given.get(place)
    if (!value) return undefined
    const { word = '', type } = write(value, { fields: [] }, writer)
    if (!/^-?\d+$/.test(word) || type?.name === 'varchar')
      throw wrong(`The ${place} of sequence is not a whole number`)
    return BigInt(word)
  })
  if (stop === undefined) throw wrong('Missing argument: STOP')
  if (BigInt(step) === 0n) throw wrong('Step must not be zero')
  const isUp = BigInt(step) > 0n
  if (isUp ? stop < BigInt(start) : stop > BigInt(start))
    throw wrong(`Step must be ${isUp ? 'negative' : 'positive'} for sequence [${start}, ${stop}]`)
  const columns = [{ name: 'sequential_number', type: BIGINT }]
  const sql = `(SELECT generate_series AS "sequential_number" FROM generate_series(CAST(${start} AS BIGINT), CAST(${stop} AS BIGINT), CAST(${step} AS BIGINT)))`
  return aliased(node, sql, columns, writer)
}

function join(node: Of<'join'>, outer: Scope, named: Named, writer: QueryWriter): WrittenRelation {
  const left = writeRelation(node.left, outer, named, writer)
  const right = writeRelation(node.right, { fields: left.fields, outer }, named, writer)
  const lateral = node.right.kind === 'unnest' ? 'LATERAL ' : ''
  const begin = `${left.sql} ${node.type} JOIN ${lateral}${right.sql}`
  const fields = [...left.fields, ...right.fields]
  if (node.type === 'CROSS') return { sql: begin, fields }
  if (node.on) {
    const on = condition(node.on, { fields, outer }, writer)
    return { sql: `${begin} ON ${on}`, fields }
  }
  const pairs = (node.using ?? []).map((name) => {
    const [a, b] = [left, right].map((side) =>
      side.fields.find((one) => folded(one.name) === folded(name)),
    )
    if (!a || !b)
      throw refuse(writer.statement, node.at, `Column '${name}' is not on both sides of the join`)
    const [x, y] = [a, b].map((one): Written => ({ ...one, at: node.at, isPlain: true })) as [
      Written,
      Written,
    ]
    comparable(x, y, node.at, writer)
    return { name: a.name, a: x, b: y }
  })
  const isIn = ({ name }: Field) => pairs.some((one) => folded(one.name) === folded(name))
  const others = fields.filter((one) => !isIn(one))
  const own = pairs.some(({ a, b }) => isToldApart(a, b))
  const sqlOf = ({ name, a, b }: (typeof pairs)[number]) => {
    if (!own) return quote(name)
    return { LEFT: a.sql, INNER: a.sql, RIGHT: b.sql }[node.type as string] ?? coalesced(a, b)
  }
  const merged = pairs.map((one): Field => ({ name: one.name, type: one.a.type, sql: sqlOf(one) }))
  const on = own
    ? `ON ${pairs.map(({ a, b }) => compared(a, '=', b)).join(' AND ')}`
    : `USING (${pairs.map(({ name }) => quote(name)).join(', ')})`
  return { sql: `${begin} ${on}`, fields: [...merged, ...others] }
}

const coalesced = (a: Written, b: Written) => `coalesce(${a.sql}, ${b.sql})`
