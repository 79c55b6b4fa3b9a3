import { expect, it } from 'vitest'
import { exactParameters } from './exact-parameters.js'

it('parameters keep all digits of whole numbers, and others are what they would be anyway', () => {
  const body = `{"sql": "select 9007199254740993", "parameters":
    [9007199254740993, -9007199254740993123, 170141183460469231731687303715884105727, 1, -2.5, 1e3, 0.1, "9007199254740993", null, true]}`
  expect(exactParameters(body)).toEqual([
    9007199254740993n,
    -9007199254740993123n,
    170141183460469231731687303715884105727n,
    ...[1, -2.5, 1000, 0.1, '9007199254740993', null, true],
  ])
  expect(exactParameters('{"parameters": {"a": 1, "a": 9007199254740993}}')).toEqual({
    a: 9007199254740993n,
  })
})

it('a number that would be another one is refused by its name', () => {
  for (const number of ['1e400', '1.00000000000000000001', `1${'0'.repeat(40)}`]) {
    const refused = (parameters: string) => () => exactParameters(`{"parameters": ${parameters}}`)
    expect(refused(`{"big": ${number}}`)).toThrow(/Parameter 'big' .*more digits/)
    expect(refused(`[1, ${number}]`)).toThrow(/Parameter 2 /)
  }
})

it('a number of a million digits is refused at once', () => {
  const began = performance.now()
  for (const number of ['9'.repeat(1e6), `-${'9'.repeat(1e6)}`])
    expect(() => exactParameters(`{"parameters": [${number}]}`)).toThrow(
      /Parameter 1 .*more digits/,
    )
  expect(performance.now() - began).toBeLessThan(400)
})
