import { expect, it } from 'vitest'
import { NameLimit } from './name-limit.js'

it('rows are refused that bring more names than can be columns, and no others', () => {
  const limit = new NameLimit(3)
  const rows = ['{"a":1,"b":1}', '{"c":1,"d":1}', '{"a":2,"c":1}', '{"d":1}', '{"b":3}']
  expect(rows.map((row) => limit.refusal(row) === undefined)).toEqual([
    true,
    false,
    true,
    false,
    true,
  ])
})
