import { expect, it } from 'vitest'
import type { DatasetDiff, LakeDiff } from '../../branch/diff/diff.js'
import { OwnSecrets } from '../../secrets.js'
import { diffMarkdown, plain } from './diff-markdown.js'

it('a text in a comment links to nobody and nothing, once its escapes are gone', () => {
  const text = plain(
    '@team of https://evil.example, www.evil.example: #12, !7, ~bug **b** <img> a|b',
  )
  // What is left where names are looked for: without Markdown's escapes, with HTML's characters.
  const shown = text.replace(/\\([\\`*_{}[\]()#+!|~])/g, '$1').replaceAll('&#8203;', '\u200b')
  expect(shown).not.toMatch(/@\w|#\d|!\d|~\w|:\/\/|www\./)
  expect(shown.replaceAll('\u200b', '')).toBe(
    '@team of https://evil.example, www.evil.example: #12, !7, ~bug **b** &lt;img&gt; a|b',
  )
  expect(text).toContain('\\*\\*b\\*\\*')
  new OwnSecrets().hide('p@ss_word#1')
  expect(plain('FATAL: p@ss_word#1 is wrong')).toBe('FATAL: \\*\\*\\* is wrong')
  expect(plain('1% of 5 & more!')).toBe('1% of 5 &amp; more\\!')
})

const side = (name: string) => ({ name, commit: 3, hash: 'ab', time: null })

/** A comparison of tables of so many columns, of which each has a row more and a changed one. */
function wide(datasets: number, columns: number): LakeDiff {
  const names = Array.from({ length: columns }, (_, i) => `a_column_of_many_${i}`)
  const row = Object.fromEntries(names.map((name) => [name, 'x'.repeat(80)]))
  const of = (value: string) => ({
    before: `${'y'.repeat(70)}${value}1`,
    after: `${'y'.repeat(70)}${value}2`,
  })
  const one = (i: number): DatasetDiff => ({
    ...{ dataset: `gold.table_${i}`, change: 'changed', definition: [], columns: [] },
    ...{ rowsBefore: 1, rowsAfter: 2, discarded: [], checks: [], downstream: [], reaches: [] },
    discardedRows: { gained: 0, lost: 0 },
    rows: {
      ...{ key: [], added: 1, removed: 0, changed: 1 },
      columns: names.map((column) => ({
        ...{ column, changed: 1, nulls: { before: 0, after: 1 }, min: of('a'), max: of('b') },
        values: [{ value: 'paid', before: 3, after: 2 }],
      })),
      examples: {
        added: [row],
        removed: [],
        changed: [{ key: { id: '1' }, columns: { note: [of('c').before, of('c').after] } }],
      },
    },
  })
  return {
    before: side('main'),
    after: side('dev'),
    datasets: Array.from({ length: datasets }, (_, i) => one(i)),
    same: 1,
  }
}

it('a comparison fits into the room that there is, and names what is left out', () => {
  const whole = diffMarkdown(wide(1, 2))
  expect(whole).toContain('- `a_column_of_many_0` = `paid`: 3 → 2 rows')
  // What differs behind what is alike is seen.
  expect(whole).toMatch(/`note` `…y+c1` → `…y+c2`/)
  expect(diffMarkdown(wide(1, 1000))).toMatch(/and 970 more/)
  for (const [datasets, columns] of [
    [300, 5],
    [1500, 10],
    [3, 2000],
  ] as const) {
    const text = diffMarkdown(wide(datasets, columns), 60_000)
    expect(text.length).toBeLessThanOrEqual(60_000)
    expect(text).toContain('<sub>Compared: main at commit 3')
    if (datasets > 3)
      expect(text).toMatch(/no room here for .* of [\d,]+ datasets: `moraine diff dev` shows/)
    expect(text.split('<details>').length).toBe(text.split('</details>').length)
  }
})
