import { createHash } from 'node:crypto'

/*
 * The figures of a page between `<!-- bench DIGEST -->` and `<!-- /bench -->`, written by
 * `npm run bench -- NAME --write` and by nobody else: a line for each benchmark, as it was called.
 */

/** What a benchmark found, with what it was measured on. Seconds and MiB are medians. */
export interface Figure {
  /** The benchmark and its options, without `--write`. */
  called: string
  ours: { seconds: number; cpu: number; mebibytes: number }
  theirs: { seconds: number; cpu: number; mebibytes: number }
  /** Of wall time, with the interval that holds it in 95 of 100 cases. */
  ratio: number
  interval: readonly [low: number, high: number]
  cpuRatio: number
  pairs: number
  commit: string
  /** As in `2026-11-28`. */
  date: string
}

const BLOCK = /<!-- bench ([0-9a-f]{12}) -->\n([\s\S]*?)<!-- \/bench -->/
const HEAD = [
  '| `npm run bench --` | Moraine: time, processor time, memory | held against | ratio of time | of processor time | pairs | commit | date |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
]
const LINE =
  /^\| `[^`|]+` \| [\d.]+ s, [\d.]+ s, [\d,]+ MiB \| [\d.]+ s, [\d.]+ s, [\d,]+ MiB \| \d+\.\d\d × \[\d+\.\d\d, \d+\.\d\d\] \| \d+\.\d\d × \| \d+ \| `[0-9a-f]{7,12}` \| \d{4}-\d\d-\d\d \|$/

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function side({ seconds, cpu, mebibytes }: Figure['ours']): string {
  return `${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s, ${Math.round(mebibytes).toLocaleString('en-US')} MiB`
}

function lineOf(figure: Figure): string {
  const { called, ours, theirs, ratio, interval, cpuRatio, pairs, commit, date } = figure
  const [low, high] = interval.map((bound) => bound.toFixed(2))
  const cells = [
    `\`${called}\``,
    side(ours),
    side(theirs),
    `${ratio.toFixed(2)} × [${low}, ${high}]`,
    `${cpuRatio.toFixed(2)} ×`,
    String(pairs),
    `\`${commit}\``,
    date,
  ]
  return `| ${cells.join(' | ')} |`
}

/**
 * A page with a figure, in the place of what the same call has found before.
 *
 * @throws Error where the page has no such block, or somebody has changed it by hand.
 */
export function withFigure(page: string, figure: Figure): string {
  const wrong = figureProblems(page)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  const before = (BLOCK.exec(page)?.[2] ?? '').trim().split('\n').slice(HEAD.length)
  const others = before.filter((line) => !line.startsWith(`| \`${figure.called}\` |`))
  const text = `${[...HEAD, ...[...others, lineOf(figure)].sort()].join('\n')}\n`
  return page.replace(BLOCK, () => `<!-- bench ${digestOf(text)} -->\n${text}<!-- /bench -->`)
}

/** The commits that the figures of a page were measured on. */
export function measuredCommits(page: string): string[] {
  const text = BLOCK.exec(page)?.[2] ?? ''
  return [...text.matchAll(/\| `([0-9a-f]{7,12})` \| \d{4}-\d\d-\d\d \|$/gm)].map(
    ([, commit = '']) => commit,
  )
}

/** What is wrong with the figures of a page; nothing where a benchmark has written all of them. */
export function figureProblems(page: string): string[] {
  const [, digest, text] = BLOCK.exec(page) ?? []
  if (digest === undefined || text === undefined) return ['There is no block of figures']
  const lines = text.trimEnd().split('\n')
  return [
    ...(lines.slice(0, HEAD.length).join('\n') === HEAD.join('\n') ? [] : ['It has another head']),
    ...lines
      .slice(HEAD.length)
      .filter((line) => !LINE.test(line))
      .map((line) => `No benchmark writes such a line: ${line}`),
    ...(digestOf(text) === digest ? [] : ['Its figures were changed by hand']),
  ]
}

/** A block that has no figures yet. */
export function emptyBlock(): string {
  const text = `${HEAD.join('\n')}\n`
  return `<!-- bench ${digestOf(text)} -->\n${text}<!-- /bench -->`
}
