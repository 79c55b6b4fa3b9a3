import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { confirm } from './confirm.js'

it.each([
  ['y\n', true],
  ['Yes\n', true],
  ['\n', false],
  ['no\n', false],
  ['yesterday\n', false],
  ['', false],
])('an answer of %j is %j', async (text, expected) => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  input.end(text)
  expect(await confirm('Build it with the older definition?', input, output)).toBe(expected)
  expect(String(output.read())).toContain('Build it with the older definition? [y/N] ')
})
