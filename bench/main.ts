import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { arrivals } from './arrivals.js'
import { catalog } from './catalog.js'
import { commits } from './commits.js'
import { cores } from './cores.js'
import { mariadb, postgres } from './databases.js'
import { exporting } from './export.js'
import { withFigure } from './figures.js'
import { formats } from './formats.js'
import { guard } from './guard.js'
import { increment } from './increment.js'
import { ingestion } from './ingest.js'
import { listing } from './listing.js'
import { machines } from './machines.js'
import { planning } from './planning.js'
import { protocols } from './protocols.js'
import { queries } from './queries.js'
import { inBucket } from './s3.js'
import { arrowStream, firstQuery } from './serving.js'
import { split } from './split.js'
import { plan, status } from './start.js'
import { overhead, repository, tickit } from './tickit.js'
import { tpcds } from './tpcds.js'
import { upserts } from './upserts.js'
import { wide } from './wide.js'

/*
 * npm run bench -- NAME [--pairs N] [--scale N] [--against NAME] [--json] [--write]: a benchmark
 * beside what it is to be held against, run by turns; the ratio is the median over pairs, with the
 * interval that holds it in 95 of 100 cases. With --write it puts them into the guide, too.
 */
export interface Contender {
  name: string
  /** Runs once as a process of its own and returns seconds and peak MiB. */
  run(): Promise<Measure>
  /** Ends what both need, once. */
  close?(): Promise<void>
}

export interface Measure {
  seconds: number
  /** Processor seconds, of all cores. */
  cpu: number
  mebibytes: number
  /** MiB of what was made, where that is compared. */
  stored?: number
}

/** A benchmark: what is measured, and what it is held against. */
export type Benchmark = (scale: number, against?: string) => Promise<[Contender, Contender]>

const benchmarks: Record<string, Benchmark> = {
  tickit,
  overhead,
  status,
  plan,
  commits,
  increment,
  tpcds,
  upserts,
  split,
  planning,
  queries,
  postgres,
  mariadb,
  formats,
  export: exporting,
  ingest: ingestion,
  s3: inBucket,
  listing,
  wide,
  arrivals: (scale, against) => arrivals(against === 'bucket' ? 'bucket' : 'folder', scale),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '7' },
    scale: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    against: { type: 'string' },
  },
})
if (positionals[0] === 'guard') {
  await guard(Number(values.pairs), values.against, values.json)
  process.exit()
}
if (positionals[0] === 'catalog') {
  await catalog(Number(values.scale), values.against, values.json)
  process.exit()
}
if (positionals[0] === 'cores') {
  console.log(await cores(Number(values.scale), Number(values.pairs)))
  process.exit()
}
/** What prints figures of its own. */
const others = { protocols, 'first-query': firstQuery, 'arrow-stream': arrowStream, machines }
const other = Object.entries(others).find(([name]) => name === positionals[0])?.[1]
if (other) {
  console.log(await other(Number(values.scale), Number(values.pairs)))
  process.exit()
}
const benchmark = benchmarks[positionals[0] ?? '']
if (!benchmark) {
  console.error(
    `There is: guard, catalog, cores, ${Object.keys({ ...others, ...benchmarks }).join(', ')}`,
  )
  process.exit(2)
}

// What is written into the guide names the commit that it was measured at.
const commit = values.write ? committed() : ''
const [ours, theirs] = await benchmark(Number(values.scale), values.against)
const pairs: [Measure, Measure][] = []
for (let i = 0; i < Number(values.pairs); i++) {
  // By turns, and each first as often: what else the machine does falls on both.
  const first = i % 2 === 0
  const a = await (first ? ours : theirs).run()
  const b = await (first ? theirs : ours).run()
  pairs.push(first ? [a, b] : [b, a])
}

const median = (numbers: number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
const ratios = pairs.map(([a, b]) => a.seconds / b.seconds)

/** The interval of medians of samples drawn again from the ratios. */
function interval(numbers: number[]): [number, number] {
  const medians = Array.from({ length: 2000 }, () =>
    median(numbers.map(() => numbers[Math.floor(Math.random() * numbers.length)] as number)),
  ).sort((a, b) => a - b)
  return [medians[50] as number, medians[1949] as number]
}

/** The commit that is checked out. @throws Error where files differ from it. */
function committed(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--', ':!docs/guide/speed.md')
  if (changed !== '') throw new Error(`Commit first, --write names the commit:\n${changed}`)
  return git('rev-parse', '--short=8', 'HEAD')
}

const [low, high] = interval(ratios)
const side = (of: 0 | 1) => ({
  seconds: median(pairs.map((pair) => pair[of].seconds)),
  cpu: median(pairs.map((pair) => pair[of].cpu)),
  mebibytes: median(pairs.map((pair) => pair[of].mebibytes)),
})
const result = {
  benchmark: positionals[0],
  scale: Number(values.scale),
  pairs: pairs.length,
  ratio: median(ratios),
  interval: [low, high],
  cpuRatio: median(pairs.map(([a, b]) => a.cpu / b.cpu)),
  ...(pairs[0]?.[0].stored
    ? { storedRatio: median(pairs.map(([a, b]) => (a.stored ?? 0) / (b.stored ?? 1))) }
    : {}),
  memoryRatio: median(pairs.map(([a, b]) => a.mebibytes / b.mebibytes)),
  [ours.name]: side(0),
  [theirs.name]: side(1),
}
if (values.json) console.log(JSON.stringify(result, null, 2))
else {
  const row = (name: string, { seconds, cpu, mebibytes }: Measure) =>
    `${name.padEnd(36)} ${(seconds * 1000).toFixed(0).padStart(8)} ms ${(cpu * 1000).toFixed(0).padStart(8)} ms CPU ${mebibytes.toFixed(0).padStart(6)} MiB`
  console.log(row(ours.name, side(0)))
  console.log(row(theirs.name, side(1)))
  console.log(
    `${'ratio'.padEnd(36)} ${result.ratio.toFixed(2).padStart(8)} ×  ${result.cpuRatio.toFixed(2).padStart(8)} ×      ${result.memoryRatio.toFixed(2).padStart(6)} ×    [${low.toFixed(2)}, ${high.toFixed(2)}] over ${pairs.length} pairs`,
  )
}
if (values.write) {
  const { scale, against } = values
  const called = [
    positionals[0],
    ...(scale === '1' ? [] : [`--scale ${scale}`]),
    ...(against === undefined ? [] : [`--against ${against}`]),
  ].join(' ')
  const { ratio, cpuRatio } = result
  const measured = { ours: side(0), theirs: side(1), ratio, cpuRatio, pairs: pairs.length }
  const date = new Date().toISOString().slice(0, 10)
  const page = join(repository, 'docs/guide/speed.md')
  const figure = { called, ...measured, interval: [low, high] as const, commit, date }
  writeFileSync(page, withFigure(readFileSync(page, 'utf8'), figure))
}
await ours.close?.()
