import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { quoteText } from '../define/sql/sql.js'
import { toRe2 } from './regex.js'

const session = engineSession()

/** The flag of classes that hold others. */
const SETS: string = 'v'

const ascii = fc.string({
  unit: fc.constantFrom(...'aAbz09_-. \n\r\t\v\f$^[]{}()|\\/:@'),
  maxLength: 12,
})
const patterns = [
  /^[a-z]+$/,
  /^\w{2,4}$/i,
  /\s/,
  /^\S*$/,
  /a.b/,
  /a.b/s,
  /^(a|b)+?$/,
  /[^\s\d]/,
  /\bz\b/,
  /^$/,
  /[.\-_]/,
  /\//,
  /[[]/,
  /x{0}/,
  /(?:a|-)$/,
  /^\d{3}-\d{2}$/,
  /[\w.]+@[a-z]+/,
  /\$\^/,
  /[\]a]/,
  /(?<first>a)b/,
  /\x41/,
  /\u0061/,
]

describe('regular expressions', () => {
  it('match the same ASCII texts in RE2 as in JavaScript', async () => {
    for (const pattern of patterns) {
      const re2 = toRe2(pattern)
      expect(re2, String(pattern)).toBeDefined()
      const texts = [...new Set(fc.sample(ascii, { numRuns: 200, seed: 1 }))]
      const list = texts.map((t) => `(${quoteText(t)})`).join(', ')
      const rows = await session().rows(
        `SELECT t, regexp_matches(t, ${quoteText(re2 as string)}) AS m FROM (VALUES ${list}) v(t)`,
      )
      for (const { t, m } of rows)
        expect(m, `${pattern} on ${JSON.stringify(t)}`).toBe(pattern.test(t as string))
    }
  })

  it.each([
    /(?=a)b/,
    /(?!a)b/,
    /(?<=a)b/,
    /(a)\1/,
    /^a$/m,
    /\p{L}/u,
    /é/,
    new RegExp(`[${'^'}]`),
    /a{1001}/,
    /a/y,
    new RegExp('^[[a-z]&&[^aeiou]]+$', SETS),
    new RegExp('[\\w--\\d]', SETS),
  ])('%s is left to JavaScript', (pattern) => expect(toRe2(pattern)).toBeUndefined())
})
