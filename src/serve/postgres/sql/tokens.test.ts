import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../../test/support/seed.js'
import { meaningful, statementsOf, textOf, tokensOf } from './tokens.js'

describe('tokens of PostgreSQL', () => {
  it('are all of the text, whatever it is', () => {
    const pieces = fc.constantFrom(
      ...[
        "'",
        "''",
        '"',
        '$',
        '$$',
        '$a$',
        '$1',
        '/*',
        '*/',
        '--',
        '\n',
        ';',
        '::',
        'E',
        '\\',
        '~',
      ],
      ...['select', 'x', '1e5', '.', '(', ')', 'é', '😀', ' '],
    )
    const texts = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 })
    fc.assert(
      fc.property(texts, (parts) => {
        const sql = parts.join('')
        expect(textOf(tokensOf(sql))).toBe(sql)
      }),
      { seed, numRuns: 300 },
    )
  })

  it('keep semicolons within texts, names and comments', () => {
    const sql = `select ';' as ";", $a$;$a$ /* ; /* ; */ ; */ -- ;\n; ; select E'\\';'`
    expect(statementsOf(sql)).toEqual([
      `select ';' as ";", $a$;$a$ /* ; /* ; */ ; */ -- ;\n`,
      ` select E'\\';'`,
    ])
  })

  it('tell parameters from what only looks so', () => {
    const found = meaningful(tokensOf(`$1 '$2' "$3" a$4 $5::int $$ $6 $$`))
    expect(found.filter(({ kind }) => kind === 'parameter').map(({ text }) => text)).toEqual([
      '$1',
      '$5',
    ])
  })
})
