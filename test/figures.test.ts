import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { emptyBlock, type Figure, figureProblems, withFigure } from '../bench/figures.js'
import { repository } from './support/project.js'

const figure: Figure = {
  called: 'tickit --scale 10',
  ours: { seconds: 9.4, cpu: 14.96, mebibytes: 1235.4 },
  theirs: { seconds: 9.7, cpu: 15.9, mebibytes: 1705 },
  ratio: 0.969,
  interval: [0.95, 1.01],
  cpuRatio: 0.94,
  pairs: 5,
  commit: '0123abc',
  date: '2026-11-28',
}
const page = `# Speed\n\n${emptyBlock()}\n\nMore.\n`

it('has one line for each call, the one that was measured last', () => {
  const other = { ...figure, called: 'tpcds --scale 0.1' }
  const first = withFigure(withFigure(page, figure), other)
  const again = withFigure(first, { ...figure, ratio: 0.9, commit: '4567def' })
  expect(figureProblems(again)).toEqual([])
  expect(again.match(/^\| `.*/gm)?.slice(1)).toEqual([
    '| `tickit --scale 10` | 9.4 s, 15.0 s, 1,235 MiB | 9.7 s, 15.9 s, 1,705 MiB | 0.90 × [0.95, 1.01] | 0.94 × | 5 | `4567def` | 2026-11-28 |',
    '| `tpcds --scale 0.1` | 9.4 s, 15.0 s, 1,235 MiB | 9.7 s, 15.9 s, 1,705 MiB | 0.97 × [0.95, 1.01] | 0.94 × | 5 | `0123abc` | 2026-11-28 |',
  ])
  expect(again.endsWith('\n\nMore.\n')).toBe(true)
})

it('finds figures that somebody wrote by hand', () => {
  const written = withFigure(page, figure)
  const flattered = written.replace('0.97 ×', '0.79 ×')
  expect(figureProblems(flattered)).toEqual(['Its figures were changed by hand'])
  expect(() => withFigure(flattered, figure)).toThrow('changed by hand')
  const added = written.replace('<!-- /bench -->', '| `mine` | fast |\n<!-- /bench -->')
  expect(figureProblems(added)).toContain('No benchmark writes such a line: | `mine` | fast |')
  expect(figureProblems('# Speed\n')).toEqual(['There is no block of figures'])
})

it('holds for the guide: a benchmark has written its figures', () => {
  const guide = readFileSync(join(repository, 'docs/guide/speed.md'), 'utf8')
  expect(figureProblems(guide)).toEqual([])
})
