import type { Assignment, ChangeStatement, MergeCase, Target } from '../parse/change.js'
import type { Expression } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import {
  common,
  engineType,
  isInteger,
  isText,
  shown,
  type TrinoType,
  wider,
  withNamesOf,
} from '../types.js'
import { byPlaces, castOf } from './casts.js'
import { writeRelation } from './relation.js'
import { folded, quote, type Scope } from './scope.js'
import { condition, type QueryWriter, write } from './writer.js'
import { failsWhen, once, type Written } from './written.js'

/** What is done with rows, by the number that each has in the column `m action`, from 1. */
interface ChangeAction {
  does: 'update' | 'delete' | 'insert'
  /** Columns that get a value. */
  sets: readonly string[]
}

/**
 * A change of rows as the engine has it: a query for what is done with which rows. It reads where
 * the rows of the table lie (`_data_file`, `_data_row`), which `m file` and `m row` give; values of
 * {@link columns} are in `c0`, `c1` and so on.
 */
export interface WrittenChange {
  sql: string
  actions: readonly ChangeAction[]
  columns: readonly string[]
}

const MATCHED = 'm matched'

/** What says of each row where it lies. */
const PLACES = ['_data_file', '_data_row']

const ACTION = quote('m action')

/** A table's columns, and how they are seen. */
interface Seen {
  sql: string
  scope: Scope
  columns: ReadonlyMap<string, { name: string; type: TrinoType | undefined }>
  /** Of each row its file and its place. */
  file: string
  row: string
}

interface Valued extends ChangeAction {
  values: readonly { column: string; sql: string }[]
}

export function writeChange(statement: ChangeStatement, writer: QueryWriter): WrittenChange {
  const target = seen(statement.target, writer)
  if (statement.kind === 'merge') return writeMerge(statement, target, writer)
  const where = statement.where ? ` WHERE ${condition(statement.where, target.scope, writer)}` : ''
  const action: Valued =
    statement.kind === 'delete'
      ? { does: 'delete', sets: [], values: [] }
      : valued('update', statement.set, { target, scope: target.scope, writer })
  const values = action.values.map(({ sql }, i) => `, ${sql} AS ${quote(`c${i}`)}`)
  return {
    sql: `SELECT 1 AS ${ACTION}, ${placesOf(target)}${values.join('')} FROM ${target.sql}${where}`,
    actions: [action],
    columns: action.sets,
  }
}

const placesOf = ({ file, row }: Seen) =>
  `${file} AS ${quote('m file')}, ${row} AS ${quote('m row')}`

function seen({ parts, at, alias }: Target, writer: QueryWriter): Seen {
  const name = alias ?? (parts.at(-1) as string)
  const relation = { kind: 'table', parts, at, alias: { name } } as const
  const { sql, fields } = writeRelation(relation, { fields: [] }, new Map(), writer)
  const clash = fields.find((one) => PLACES.includes(folded(one.name)))
  if (clash)
    throw refuse(
      writer.statement,
      at,
      `Rows of a table with a column ${clash.name} are not changed here: that says where a row lies`,
      `Give it another name: ALTER TABLE … CHANGE COLUMN ${clash.name} …`,
    )
  return {
    sql,
    scope: { fields },
    columns: new Map(fields.map((one) => [folded(one.name), one])),
    file: `${quote(name)}."_data_file"`,
    row: `${quote(name)}."_data_row"`,
  }
}

function writeMerge(
  { source, on, cases }: Extract<ChangeStatement, { kind: 'merge' }>,
  target: Seen,
  writer: QueryWriter,
): WrittenChange {
  const from = writeRelation(source, { fields: [] }, new Map(), writer)
  const both: Scope = { fields: [...target.scope.fields, ...from.fields] }
  const scopeOf = ({ does }: MergeCase): Scope =>
    does === 'insert' ? { fields: from.fields } : both
  const actions = cases.map((one) => valuedCase(one, { target, scope: scopeOf(one), writer }))
  const whens = cases.map((one, i) => {
    const also = one.condition ? ` AND ${condition(one.condition, scopeOf(one), writer)}` : ''
    const isThere = one.does === 'insert' ? 'IS NULL' : 'IS NOT NULL'
    return `WHEN ${target.row} ${isThere}${also} THEN ${i + 1}`
  })
  const columns = [...new Set(actions.flatMap(({ sets }) => sets))]
  const doing = quote(unlike('m does', both))
  const values = columns.map((column, i) => {
    const own = actions.flatMap((one, n) =>
      one.values.flatMap((v) => (v.column === column ? [`WHEN ${n + 1} THEN ${v.sql}`] : [])),
    )
    return `, CASE ${doing} ${own.join(' ')} END AS ${quote(`c${i}`)}`
  })
  const join = cases.some(({ does }) => does === 'insert') ? 'LEFT' : 'INNER'
  const matches = condition(on, both, writer)
  const inner = `SELECT CASE ${whens.join(' ')} ELSE 0 END AS ${doing}, ${placesOf(target)}${values.join('')} FROM ${from.sql} ${join} JOIN ${target.sql} ON ${matches}`
  // By their names: what takes all columns is judged as if it read all of the tables.
  const named = ['m file', 'm row', ...columns.map((_, i) => `c${i}`)].map(quote)
  return {
    sql: `SELECT ${doing} AS ${ACTION}, ${named.join(', ')} FROM (${inner}) AS ${quote(MATCHED)} WHERE ${doing} > 0`,
    actions,
    columns,
  }
}

/** A name that none of the columns has: the engine would take those first. */
function unlike(name: string, scope: Scope): string {
  const isTaken = scope.fields.some((one) => folded(one.name) === name)
  return isTaken ? unlike(`${name} `, scope) : name
}

interface Place {
  target: Seen
  scope: Scope
  writer: QueryWriter
}

function valuedCase(one: MergeCase, place: Place): Valued {
  if (one.does === 'delete') return { does: 'delete', sets: [], values: [] }
  const { target, writer } = place
  const isNamed = (set: Assignment[] | Expression[]): set is Assignment[] =>
    set.every((part) => 'column' in part)
  if (isNamed(one.set)) return valued(one.does, one.set, place)
  const columns = [...target.columns.values()]
  if (columns.length !== one.set.length)
    throw refuse(
      writer.statement,
      one.at,
      `Insert query has ${one.set.length} values, and the table has ${columns.length} columns`,
    )
  const set = one.set.map((value, i) => ({
    column: columns[i]?.name as string,
    at: value.at,
    value,
  }))
  return valued(one.does, set, place)
}

/** Values of columns, which have to be of their types, or narrower ones. */
function valued(
  does: 'update' | 'insert',
  set: readonly Assignment[],
  { target, scope, writer }: Place,
): Valued {
  const values = set.map(({ column, at, value }, i) => {
    const found = target.columns.get(folded(column))
    if (!found)
      throw refuse(
        writer.statement,
        at,
        `Column '${column}' cannot be resolved`,
        `The table has: ${[...target.columns.values()].map(({ name }) => name).join(', ')}`,
      )
    if (set.findIndex((one) => folded(one.column) === folded(column)) < i)
      throw refuse(writer.statement, at, `Column '${column}' is set more than once`)
    const written = write(value, scope, writer)
    refuseOthers(found, { ...written, at: value.at }, writer)
    return { column: found.name, sql: asColumn(found.type, written) }
  })
  return { does, values, sets: values.map(({ column }) => column) }
}

/** @throws MoraineError of kind `query` for a value that is none of a column. */
export function refuseOthers(
  column: { name: string; type: TrinoType | undefined },
  { type, at }: Pick<Written, 'type' | 'at'>,
  { statement }: Pick<QueryWriter, 'statement'>,
): void {
  if (!fits(column.type, type))
    throw refuse(
      statement,
      at,
      `The column ${column.name} is ${shown(column.type as TrinoType)}, and the value is ${shown(type as TrinoType)}`,
      'Cast it: CAST(… AS …)',
    )
}

/** A value in the type of its column. */
export function asColumn(to: TrinoType | undefined, of: Written): string {
  const engine = to && engineType(to)
  if (!to || !engine) return of.sql
  if (of.type && isChecked(to, of.type)) return checked(of, to, engine)
  const sql = of.type?.of ? byPlaces(of, of.type, to) : of.sql
  return `CAST(${sql} AS ${engine})`
}

/**
 * Whether values of a type become those of a column if they are the same there: numbers with a
 * point are doubles, others may be wider than the column, and moments are shown by clocks.
 */
export function isChecked(column: TrinoType, value: TrinoType): boolean {
  if (isInteger(column) && isInteger(value)) return wider(column, value) !== column
  if (column.name === 'timestamp' && value.name === 'timestamptz') return true
  return column.name === 'decimal' && value.name === 'double'
}

/** A value that fails where the column would change it. */
function checked(of: Written, to: TrinoType, engine: string): string {
  if (to.name === 'timestamp') return castOf(of, of.type as TrinoType, to) as string
  return once({ v: of }, ({ v = '' }) => {
    const isWhole = isInteger(to)
    const plain = isWhole
      ? `TRY_CAST(${v} AS ${engine})`
      : `CAST(CAST(${v} AS VARCHAR) AS ${engine})`
    const isOther = isWhole
      ? `${v} IS NOT NULL AND ${plain} IS NULL`
      : `CAST(${plain} AS DOUBLE) <> ${v}`
    const why = isWhole
      ? `A value is out of range for ${shown(to)}`
      : `A value has more digits than ${shown(to)}: round it, or cast it`
    return `CASE ${failsWhen(isOther, why)} ELSE ${plain} END`
  })
}

/** Whether a value becomes one of a column without a cast; what is not known may. */
function fits(column: TrinoType | undefined, value: TrinoType | undefined): boolean {
  if (!column || !value || value.name === 'unknown') return true
  if (isText(column) && isText(value)) return true
  if (isChecked(column, value)) return true
  // Digits of a second are those that the table has.
  if (column.name.startsWith('timestamp') && column.name === value.name) return true
  const both = common(column, withNamesOf(column, value))
  return both !== undefined && plain(both) === plain(column)
}

/** A type without what says how long its texts are. */
const plain = (one: TrinoType) =>
  shown(one)
    .toLowerCase()
    .replace(/varchar\(\d+\)/g, 'varchar')
    .replace(/timestamp\(\d+\)/g, 'timestamp')
