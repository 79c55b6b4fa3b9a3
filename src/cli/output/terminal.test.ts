import { expect, it } from 'vitest'
import { ESC, forTerminal, printable, printableJson } from './terminal.js'

it('lets our own colours and lines pass, and spells those of a stranger', () => {
  const ours = `${ESC}[31mbad${ESC}[39m\n\tline`
  expect(forTerminal(ours)).toBe('\x1b[31mbad\x1b[39m\n\tline')
  expect(forTerminal('\x1b[31mbad\r\x07\u009b2J\u202e')).toBe(
    '\\x1b[31mbad\\x0d\\x07\\x9b2J\\u202e',
  )
  expect(printable('a\nb\tc')).toBe('a\\x0ab\\x09c')
})

it('spells in JSON what steers, with the same meaning', () => {
  const value = { text: '\x1b[2J\u009b\u202e\u2028 ü שלום' }
  const json = printableJson(JSON.stringify(value, null, 2))
  expect(json).not.toMatch(/(?!\n)[\p{Cc}\u2028\u202e]/u)
  expect(JSON.parse(json)).toEqual(value)
})
