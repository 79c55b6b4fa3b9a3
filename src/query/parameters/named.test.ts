import { expect, it } from 'vitest'
import { withAnyNamed, withNamed } from './named.js'

it('finds names outside of texts, comments and brackets alone', () => {
  const sql = `select ':a', ":a", :a, x[1:a], {k:a}, $t$ :a $t$, 1::a -- :a
    /* :a */, :b`
  expect(withNamed(sql, { a: 1 }).sql).toBe(sql.replace(', :a,', ', $a,'))
  expect(withAnyNamed(sql)).toBe(sql.replace(', :a,', ', $a,').replace(', :b', ', $b'))
})

it('takes no longer for comments and texts without an end', () => {
  const began = performance.now()
  const dollars = Array.from({ length: 30_000 }, (_, i) => `$a${i}$`).join(' ')
  for (const sql of ['/* '.repeat(80_000), dollars])
    expect(withAnyNamed(`select :a, ${sql} :b`)).toBe(`select $a, ${sql} :b`)
  expect(performance.now() - began).toBeLessThan(1000)
})
