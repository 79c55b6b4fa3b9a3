import { describe, expect, it } from 'vitest'
import { MoraineError } from '../errors.js'
import { inFragments, pointAt, pointedAt, withoutPointer } from './pointer.js'

const condition = "day = '2026-01-05'\n  and revenu > 1"
const before = 'SELECT day FROM gold.daily WHERE ('
const sql = `${before}${condition}\n) LIMIT 3`
const fragments = [{ text: condition, at: before.length }]
const failed = (message: string, at: number) =>
  new MoraineError('query', `${message}${pointAt(sql, at)}`, { hint: 'try' })
const shown = (error: unknown) => (inFragments(error, sql, fragments) as MoraineError).message

describe('errors of SQL that has a part of a user in it', () => {
  it('finds the character that a mark stands below, whatever part of the line is shown', () => {
    const at = sql.indexOf('revenu')
    expect(pointedAt(`no such column${pointAt(sql, at)}`, sql)).toBe(at)
    const long = `SELECT ${'x, '.repeat(90)}wrong FROM t`
    const part = long.slice(200)
    const mark = `LINE 1: ...${part}`.indexOf('wrong')
    expect(pointedAt(`no\n\nLINE 1: ...${part}\n${' '.repeat(mark)}^`, long)).toBe(
      long.indexOf('wrong'),
    )
    expect(pointedAt('no mark', sql)).toBeUndefined()
    expect(pointedAt('of another\n\nLINE 9: x\n        ^', sql)).toBeUndefined()
    expect(withoutPointer(`no such column${pointAt(sql, at)}`)).toBe('no such column')
  })

  it('shows the text of the user alone, in its own lines and columns', () => {
    const error = failed('Referenced column "revenu" not found', sql.indexOf('revenu'))
    expect(shown(error)).toBe(
      'Referenced column "revenu" not found\n\nLINE 2:   and revenu > 1\n              ^',
    )
    expect((inFragments(error, sql, fragments) as MoraineError).hint).toBe('try')
  })

  it('says of what the engine misses behind it that it is missing at its end', () => {
    const error = failed('Parser Error: syntax error at or near ")"', sql.indexOf(') LIMIT'))
    expect(shown(error)).toBe(
      'Parser Error: syntax error at the end\n\nLINE 2:   and revenu > 1\n                        ^',
    )
  })

  it('shows nothing of the statement where the engine points before it', () => {
    expect(shown(failed('No', 3))).toBe('No')
    const other = new MoraineError('limit', 'No', {})
    expect(inFragments(other, sql, fragments)).toBe(other)
  })
})
