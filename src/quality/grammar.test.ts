import fc from 'fast-check'
import { expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { seed } from '../../test/support/seed.js'
import { quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import { duckdbDialect } from '../engine/duckdb/dialect/dialect.js'
import { decode, trimmed } from './grammar.js'

const session = engineSession()

/** What SQL makes of each text, as a text. */
async function each(texts: readonly string[], sql: (text: string) => string) {
  const rows = texts.map((text, i) => `(${i}, ${quoteText(text)})`)
  const given = `(VALUES ${rows.join(', ')}) AS v(i, x)`
  const [found] = await session().texts(
    `SELECT CAST(${sql('x')} AS VARCHAR) FROM ${given} ORDER BY i`,
  )
  return found
}

const spaces = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 })

it('spaces and tabs around a text are cut off, and nothing else', async () => {
  const unit = fc.constantFrom(
    ' ',
    '\t',
    '\n',
    '\r',
    '\u0001',
    '!',
    'a',
    'é',
    '\u00a0',
    '\u{1f600}',
  )
  const some = fc.array(fc.string({ unit, maxLength: 5 }), { minLength: 1, maxLength: 200 })
  await fc.assert(
    fc.asyncProperty(some, async (texts) => {
      const cut = texts.map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''))
      expect(await each(texts, (text) => trimmed(text, duckdbDialect))).toEqual(cut)
    }),
    { numRuns: 20, seed },
  )
})

it('spaces around a number mean nothing', async () => {
  const types: ColumnType[] = [
    { kind: 'int' },
    { kind: 'bigint' },
    { kind: 'decimal', precision: 8, scale: 2 },
    { kind: 'double' },
  ]
  const unit = fc.constantFrom(...'0159+-. _e')
  const text = fc.oneof(fc.string({ unit, maxLength: 9 }), fc.integer().map(String))
  const some = fc.array(fc.tuple(spaces, text, spaces), { minLength: 1, maxLength: 200 })
  await fc.assert(
    fc.asyncProperty(some, fc.constantFrom(...types), async (parts, type) => {
      const read = (texts: string[]) => each(texts, (x) => decode(x, type, duckdbDialect))
      const bare = await read(parts.map(([, text]) => text.trim()))
      expect(await read(parts.map((part) => part.join('')))).toEqual(bare)
    }),
    { numRuns: 30, seed },
  )
})
