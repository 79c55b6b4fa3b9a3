import { expect, it } from 'vitest'
import { valuesOf } from './query-options.js'

it('a parameter has one value, by its name or in its place', () => {
  expect(valuesOf({})).toEqual({})
  expect(valuesOf({ param: ['1', '2'] })).toEqual({ parameters: ['1', '2'] })
  expect(valuesOf({ param: ['a=1', 'b=a=2'] })).toEqual({ parameters: { a: '1', b: 'a=2' } })
  expect(() => valuesOf({ param: ['a=1', 'b=2', 'a=3'] })).toThrow(
    '--param a is given more than once',
  )
})
