import { expect, it } from 'vitest'
import { readSize } from './engine.js'

it('says which of the option and the variable has a size that is none', () => {
  expect(() => readSize('lots', 'MORAINE_MEMORY=')).toThrow(
    expect.objectContaining({
      message: "MORAINE_MEMORY=lots: 'lots' is not a valid memory size",
      hint: 'Give a number and a unit, at least 512MiB: MORAINE_MEMORY=2GB',
    }),
  )
  expect(() => readSize('1MB', '--memory ')).toThrow(/^--memory 1MB: '1MB' is not/)
  expect(readSize('2GB', '--memory ')).toBe(2e9)
})
