import type { Cursor } from './cursor.js'
import { parseColumns, parseRelation } from './relation.js'
import type { Expression, Relation } from './tree.js'

/** A table whose rows are changed, and the name that it has in the statement. */
export interface Target {
  parts: string[]
  at: number
  alias?: string
}

export interface Assignment {
  column: string
  at: number
  value: Expression
}

/** What MERGE does with rows that have, or have not, a row of the other side. */
export type MergeCase = { at: number; condition?: Expression } & (
  | { does: 'update'; set: Assignment[] }
  | { does: 'delete' }
  | { does: 'insert'; set: Assignment[] | Expression[] }
)

/** Statements that change rows of a table. */
export type ChangeStatement =
  | { kind: 'delete'; target: Target; where?: Expression }
  | { kind: 'update'; target: Target; set: Assignment[]; where?: Expression }
  | { kind: 'merge'; target: Target; source: Relation; on: Expression; cases: MergeCase[] }

export function targetOf(cursor: Cursor): Target {
  const { at } = cursor.token
  const parts = [cursor.name('a table')]
  while (cursor.takeSymbol('.')) parts.push(cursor.name())
  return { parts, at }
}

const whereOf = (cursor: Cursor) => (cursor.take('WHERE') ? { where: cursor.expression() } : {})

/** What follows DELETE. */
export function parseDelete(cursor: Cursor): ChangeStatement {
  cursor.expect('FROM')
  return { kind: 'delete', target: targetOf(cursor), ...whereOf(cursor) }
}

/** What follows UPDATE. */
export function parseUpdate(cursor: Cursor): ChangeStatement {
  const target = targetOf(cursor)
  return { kind: 'update', target, set: assignments(cursor), ...whereOf(cursor) }
}

function assignments(cursor: Cursor): Assignment[] {
  cursor.expect('SET')
  return cursor.list(() => {
    const { at } = cursor.token
    const column = cursor.name('a column')
    cursor.expectSymbol('=')
    return { column, at, value: cursor.expression() }
  })
}

/** What follows MERGE. */
export function parseMerge(cursor: Cursor): ChangeStatement {
  cursor.expect('INTO')
  const target = targetOf(cursor)
  if (cursor.take('AS') || cursor.isName()) target.alias = cursor.name()
  cursor.expect('USING')
  const source = parseRelation(cursor)
  cursor.expect('ON')
  const on = cursor.expression()
  const cases: MergeCase[] = []
  do cases.push(mergeCase(cursor))
  while (cursor.at('WHEN'))
  return { kind: 'merge', target, source, on, cases }
}

function mergeCase(cursor: Cursor): MergeCase {
  const { at } = cursor.token
  cursor.expect('WHEN')
  const isMatched = !cursor.take('NOT')
  cursor.expect('MATCHED')
  if (cursor.at('BY'))
    throw cursor.refuse(
      'WHEN NOT MATCHED BY is not served',
      'Delete such rows by a statement of its own: DELETE FROM … WHERE id NOT IN (…)',
    )
  const condition = cursor.take('AND') ? { condition: cursor.expression() } : {}
  cursor.expect('THEN')
  if (!isMatched) {
    cursor.expect('INSERT')
    return { at, ...condition, does: 'insert', set: inserted(cursor) }
  }
  if (cursor.take('DELETE')) return { at, ...condition, does: 'delete' }
  cursor.expect('UPDATE')
  return { at, ...condition, does: 'update', set: assignments(cursor) }
}

/** Values with their columns; without names they are for all columns in their order. */
function inserted(cursor: Cursor): Assignment[] | Expression[] {
  const { at } = cursor.token
  const columns = parseColumns(cursor)
  cursor.expect('VALUES')
  const values = cursor.inBrackets(() => cursor.list(() => cursor.expression()))
  if (!columns) return values
  if (columns.length !== values.length)
    throw cursor.refuse(
      `Insert has ${columns.length} columns and ${values.length} values`,
      undefined,
      at,
    )
  return values.map((value, i) => ({ column: columns[i] as string, at: value.at, value }))
}
