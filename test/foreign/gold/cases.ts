import type { ColumnType } from '../../../src/define/types/column-type.js'
import { isRefusal, type Rule, type Taken } from '../../../src/sql/bound/rule.js'
import { castRule, functions } from '../../../src/sql/bound/rules/rules.js'
import type { BoundType } from '../../../src/sql/bound/tree.js'
import { classOf, comparable, nameOf, type TypeClass } from '../../../src/sql/bound/types.js'
import { typesOf } from './values.js'

/** An expression over columns `a`, `b`, `c` of these types. */
export interface Case {
  sql: string
  /** The line of the list that it tries: `+(decimal, decimal)`. */
  line: string
  types: readonly BoundType[]
}

const constants: Partial<Record<Taken, readonly string[]>> = {
  count: ['0', '1', '2', '5'],
  place: ['1', '2', '3'],
  none: [
    ...['INTERVAL 3 DAY', 'INTERVAL 1 MONTH', 'INTERVAL 13 MONTH', 'INTERVAL 1 YEAR'],
    ...['INTERVAL 2 WEEK', 'INTERVAL 36 HOUR', 'INTERVAL 90 MINUTE'],
  ],
}

const dateUnits = ['year', 'quarter', 'month', 'day', 'week', 'months']
const clockUnits = ['hour', 'minute', 'second']
const words: Readonly<Record<string, (timed: boolean) => readonly string[]>> = {
  date_part: (timed) => [
    ...['year', 'month', 'day', 'quarter', 'week', 'doy', 'dow', 'isodow'],
    ...(timed ? clockUnits : []),
  ],
  date_trunc: (timed) => [...dateUnits, ...(timed ? clockUnits : [])],
  date_diff: (timed) => [...['year', 'quarter', 'month', 'day'], ...(timed ? clockUnits : [])],
  replace: () => ['a', 'ab', '😀', '\u0301', ' ', '$'],
  '~~': () => ['a%', '%a', '%a%', '_', 'a_b', '%😀%', '__', '100\\%', "it's", '%\\%', '$%', '%\n%'],
}
const wordsOf = (name: string, timed: boolean) =>
  (
    words[
      { datepart: 'date_part', datetrunc: 'date_trunc', datediff: 'date_diff', '!~~': '~~' }[
        name
      ] ?? name
    ]?.(timed) ?? ['a']
  ).map((word) => `'${word.replaceAll("'", "''")}'`)

const every: readonly TypeClass[] = [...comparable, 'double', 'binary']
const classesOf = (taken: Taken): readonly TypeClass[] =>
  taken === 'any'
    ? every.filter((one) => one !== 'binary')
    : taken === 'comparable'
      ? [...comparable]
      : [taken as TypeClass]

const columns = ['a', 'b', 'c', 'd']

/** A column as a value of its type: tables of a lake have no small or huge integers. */
function columnSql(index: number, type: BoundType): string {
  const name = columns[index] as string
  const narrow = ['tinyint', 'smallint', 'hugeint'].includes(type.id)
  return narrow ? `CAST(${name} AS ${nameOf(type)})` : name
}

/** How a lake stores what a column of the cases holds. */
export function storedAs(type: BoundType): ColumnType {
  switch (type.id) {
    case 'tinyint':
    case 'smallint':
    case 'integer':
      return { kind: 'int' }
    case 'hugeint':
      return { kind: 'decimal', precision: 38, scale: 0 }
    case 'decimal':
      return { kind: 'decimal', precision: type.precision, scale: type.scale }
    case 'varchar':
      return { kind: 'string' }
    case 'blob':
      return { kind: 'binary' }
    default:
      return { kind: type.id as 'bigint' }
  }
}

function sqlOf(name: string, [a = '', ...rest]: readonly string[]): string {
  if (name.startsWith('is n') && rest.length === 0) return `${a} ${name}`
  if (name === 'position') return `position(${rest[0]} in ${a})`
  if (name === 'not') return `not ${a}`
  if (name === 'in' || name === 'not in') return `${a} ${name} (${rest.join(', ')})`
  if (name === '-' && rest.length === 0) return `- ${a}`
  const infix = /^\W+$/.test(name) || /^(and|or|is .*)$/.test(name)
  return infix ? `(${[a, ...rest].join(` ${name} `)})` : `${name}(${[a, ...rest].join(', ')})`
}

export const lineOf = ({ name, takes, more }: Pick<Rule, 'name' | 'takes' | 'more'>) =>
  `${name}(${takes.join(', ')}${more ? ', …' : ''})`

/** All ways to give a rule its arguments. */
function casesOf(rule: Rule): Case[] {
  const takes = rule.more ? [...rule.takes, rule.takes.at(-1) as Taken] : rule.takes
  const line = lineOf(rule)
  const found: Case[] = []
  const grow = (at: number, sql: readonly string[], types: readonly BoundType[]): void => {
    const taken = takes[at]
    if (taken === undefined) {
      found.push({ sql: sqlOf(rule.name, sql), line, types })
      return
    }
    const timed = takes.includes('timestamp')
    const fixed = taken === 'word' ? wordsOf(rule.name, timed) : constants[taken]
    if (fixed) for (const one of fixed) grow(at + 1, [...sql, one], types)
    else
      for (const one of classesOf(taken))
        for (const type of typesOf[one as 'text']) {
          const first = types[0]
          if (rule.alike && first && nameOf(first) !== nameOf(type)) continue
          if (type.id === 'bigint' && takes[0] === 'date') continue
          // Of all pairs of decimals some will do: each with itself, and with its neighbour.
          if (first && !near(first, type)) continue
          grow(at + 1, [...sql, columnSql(types.length, type)], [...types, type])
        }
  }
  grow(0, [], [])
  return found
}

function near(a: BoundType, b: BoundType): boolean {
  if (classOf(a) !== classOf(b)) return true
  const list = typesOf[classOf(a) as 'text']
  const place = (type: BoundType) => list.findIndex((one) => nameOf(one) === nameOf(type))
  return [0, 1, 3].includes((place(b) - place(a) + list.length) % list.length) &&
    classOf(a) === 'decimal'
    ? true
    : nameOf(a) === nameOf(b)
}

/** Cases of every function on the list, and of every cast. */
export function allCases(): Case[] {
  const casts = Object.values(typesOf)
    .flat()
    .flatMap((from) =>
      Object.values(typesOf)
        .flat()
        .filter(
          (to) =>
            !isRefusal(castRule(from, to)) &&
            classOf(from) !== 'binary' &&
            nameOf(from) !== nameOf(to),
        )
        .map((to) => ({
          sql: `CAST(${columnSql(0, from)} AS ${nameOf(to)})`,
          line: `cast(${classOf(from)} as ${classOf(to)})`,
          types: [from],
        })),
    )
  return [...functions.flatMap(casesOf), ...casts]
}

/** Cases over columns of the same types, which one table serves. */
export function byTypes(cases: readonly Case[]): Case[][] {
  const groups = new Map<string, Case[]>()
  for (const one of cases) {
    const key = one.types.map(nameOf).join(', ')
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  return [...groups.values()]
}
