import { expect, it } from 'vitest'
import { JsonSplitter } from '../../src/source/formats/json-records.js'
import { Coverage } from './coverage.js'

it('an input that runs what none before it ran is known, and what only does the same again is not', async () => {
  const coverage = await Coverage.start()
  const read = async (text: string) => {
    try {
      new JsonSplitter(['a']).push(Buffer.from(text), true)
    } catch {
      // Also what is refused runs something.
    }
    return coverage.fresh()
  }
  // What is run again may be compiled otherwise.
  for (let i = 0; i < 10; i++) await read('{"a":[1]}')
  expect(await read('{"a":[2]}')).toBe(0)
  expect(await read('{"a":[1]]')).toBeGreaterThan(0)
})
