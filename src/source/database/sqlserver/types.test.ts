import { expect, it } from 'vitest'
import { cursorValue, keyValue } from './types.js'

it.each(['2026-01-31 10:00:00.007', '2026-01-31 10:00:00.003'])(
  'a datetime of SQL Server is asked for by the tick that its text came from: %s',
  (text) => {
    const asked = `CONVERT(datetime, CONVERT(datetime2, N'${text}', 121))`
    expect(cursorValue({ name: 'changed', type: 'datetime' }, text)).toBe(asked)
    expect(keyValue(text, { name: 'at', type: 'datetime' })).toBe(asked)
  },
)

it('types that are as exact as their texts are asked for as they are', () => {
  for (const type of ['datetime2(3)', 'smalldatetime'])
    expect(cursorValue({ name: 'changed', type }, '2026-01-31 10:00:00.007')).toBe(
      "CONVERT(datetime2, N'2026-01-31 10:00:00.007', 121)",
    )
})
