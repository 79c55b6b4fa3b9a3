import type { SourceLocation } from '../../errors.js'
import type { Sql } from '../model.js'
import { renderPart } from './sql.js'

/**
 * Where a line (from 1) of the rendered SQL, and a column of it, stand in the user's file; `near`
 * is searched from there.
 */
export function placeInSql(
  sql: Sql,
  {
    line,
    column = 1,
    near,
  }: { line: number; column?: number | undefined; near?: string | undefined },
): SourceLocation | undefined {
  const whole = sql.parts.map((part) => renderPart(part)).join('')
  const trimmed = whole.trimStart()
  const before = trimmed.split('\n').slice(0, line - 1)
  const start = whole.length - trimmed.length + before.reduce((sum, l) => sum + l.length + 1, 0)
  return placeAt(sql, start + column - 1, near)
}

/** Where a text of SQL stands in the user's file. */
export function placeOfText(sql: Sql, text: string): SourceLocation | undefined {
  let start = 0
  for (const part of sql.parts) {
    const at = part.kind === 'text' ? indexOfName(part.text, text) : -1
    if (at >= 0) return placeAt(sql, start + at, text.split('\n')[0])
    start += renderPart(part).length
  }
  return sql.place
}

/**
 * The place of a character of the rendered SQL. How wide a `${}` is in the file is not known: the
 * column is the least that it can be.
 */
function placeAt(sql: Sql, offset: number, near: string | undefined): SourceLocation | undefined {
  if (!sql.place) return undefined
  let left = offset
  let line = 0
  let { column } = sql.place
  let exact = false
  for (const part of sql.parts) {
    const text = renderPart(part)
    const before = text.slice(0, left)
    const last = before.lastIndexOf('\n')
    line += before.split('\n').length - 1
    if (last >= 0) {
      column = before.length - last
      exact = true
    } else if (part.kind === 'text') column += before.length
    if (part.kind !== 'text') exact = false
    left -= text.length
    if (left < 0) break
  }
  const first = line === 0 ? sql.place.column : 1
  const place = { ...sql.place, line: sql.place.line + line }
  return near === undefined
    ? { ...place, column: exact ? column : first }
    : { ...place, column, near }
}

/** Where a name stands by itself, after FROM or JOIN best. */
function indexOfName(text: string, name: string): number {
  const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const after = new RegExp(`(?:from|join|,)\\s+(?:["\\w]+\\.)?["']?(${quoted})`, 'di').exec(text)
  return after?.indices?.[1]?.[0] ?? text.toLowerCase().indexOf(name.toLowerCase())
}
