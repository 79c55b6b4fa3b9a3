import { expect, it } from 'vitest'
import { parameterCount } from './parameters.js'

it('counts parameters up to the last that a client can give a value', () => {
  expect(parameterCount('select 1')).toBe(0)
  expect(parameterCount("select $2, $1, '$7' -- $8")).toBe(2)
  expect(parameterCount('select $65535')).toBe(65_535)
  const many = Array.from({ length: 200_000 }, (_, i) => `$${(i % 65_535) + 1}`)
  expect(parameterCount(`select ${many.join()}`)).toBe(65_535)
  for (const number of ['65536', '900000000', '9'.repeat(400)])
    expect(() => parameterCount(`select $${number}`)).toThrow(/a statement has at most 65535/)
})
