import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { seed } from '../../../test/support/seed.js'
import { files } from '../index.js'
import { canonicalize } from './canonical.js'

const folder = mkdtempSync(join(tmpdir(), 'moraine-canonical-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [from, to] = [join(folder, 'from.txt'), join(folder, 'to.txt')]

/** The canonical lines of a text, by the quick way for clean texts or by the careful one. */
async function canonical(text: string, clean: boolean, header: boolean) {
  writeFileSync(from, text)
  const source = files(from, { delimiter: '|', columns: ['x', 'y', 'z'], header })
  // How many there are is known by the header, where there is one.
  const columns = header ? () => 3 : 3
  const facts = { clean, controls: false, carriageReturns: false, bom: false, columns }
  const { longest, header: named, ...rest } = await canonicalize(from, to, source, facts)
  const summary = { ...rest, header: named.map(({ fields }) => fields) }
  const lines = readFileSync(to, 'utf8').split('\n').filter(Boolean)
  expect(longest).toBeGreaterThanOrEqual(0)
  for (const line of lines) expect(line.split('\x1f')).toHaveLength(6)
  return { summary, lines: lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)) }
}

describe('the canonical form', () => {
  const units = [
    'a',
    'é',
    '😀',
    ' ',
    '|',
    '|',
    'b|c|d\n',
    '1|2|3\n',
    '\n',
    '\r\n',
    '\r',
    '"',
    '||||\n',
  ]
  const text = fc.array(fc.constantFrom(...units), { maxLength: 30 }).map((parts) => parts.join(''))

  it('is the same whether lines are taken in blocks or one by one', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (content, header) => {
        expect(await canonical(content, true, header)).toEqual(
          await canonical(content, false, header),
        )
      }),
      { seed, numRuns: amount(100, 1000) },
    )
  })

  it('keeps line numbers, NULLs, and the text of lines that do not fit', async () => {
    const { lines, summary } = await canonical('a||c\n1|2\nx|y|z||\n1|2|3|4\n', true, false)
    expect(lines).toEqual([
      '1\x1f\x1f\x1fa\x1f\x1fc',
      '2\x1f2 fields instead of 3\x1f1|2\x1f\x1f\x1f',
      '3\x1f\x1f\x1fx\x1fy\x1fz',
      '4\x1f4 fields instead of 3\x1f1|2|3|4\x1f\x1f\x1f',
    ])
    expect(summary).toMatchObject({ records: 4, broken: 2, ragged: 2, firstBroken: { line: 2 } })
  })
})
