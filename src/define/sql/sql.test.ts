import { describe, expect, it } from 'vitest'
import { defineLake } from '../lake.js'
import { divide } from './divide.js'
import { renderSql, sql } from './sql.js'

const mistakes = (make: () => unknown): string => {
  make()
  try {
    defineLake({ name: 'shop', datasets: [] })
  } catch (error) {
    return `${(error as Error).message} ${JSON.stringify(error)}`
  }
  return ''
}

describe('backslashes in SQL', () => {
  it('that JavaScript would take away are mistakes, with how they are written', () => {
    expect(mistakes(() => sql`regexp_extract(a, '(\d{4})')`)).toMatch(/does not leave \\d as it is/)
    expect(mistakes(() => sql`regexp_replace(a, '(x)', '\1')`)).toMatch(/does not leave \\1/)
    expect(mistakes(() => sql`a like '50\%'`)).toMatch(/does not leave \\%/)
    expect(mistakes(() => sql`regexp_matches(a, '\bx\b')`)).toMatch(/does not leave \\b/)
  })

  it('reach the engine where they are doubled, and what JavaScript has letters for is as it says', () => {
    const made = sql`regexp_extract(a, '\\d\\.\\1') || '\n\t\u00e9\x41\0\`\${}'`
    expect(mistakes(() => made)).not.toMatch(/does not leave/)
    expect(renderSql(made)).toBe("regexp_extract(a, '\\d\\.\\1') || '\n\té\x41\0`${}'")
  })
})

it('a division to more digits than there may be is a mistake as others are', () => {
  for (const scale of [13, -1, 1.5, Number.NaN])
    expect(mistakes(() => divide(sql`a`, sql`b`, scale))).toMatch(
      /divide: scale is .* from 0 to 12/,
    )
})
