import { parseArgs } from 'node:util'
import { tickit } from './tickit.js'

/*
 * npm run bench -- NAME [--pairs N] [--json]: a benchmark beside what a user would write by hand, run by
 * turns; the ratio is the median over pairs, with the interval that holds it in 95 of 100 cases.
 */
export interface Contender {
  name: string
  /** Runs once as a process of its own and returns seconds and peak MiB. */
  run(): Promise<Measure>
}

export interface Measure {
  seconds: number
  mebibytes: number
}

const benchmarks: Record<string, () => Promise<[Contender, Contender]>> = { tickit }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: 'string', default: '7' }, json: { type: 'boolean', default: false } },
})
const benchmark = benchmarks[positionals[0] ?? '']
if (!benchmark) {
  console.error(`There is: ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}

const [ours, theirs] = await benchmark()
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

const [low, high] = interval(ratios)
const result = {
  benchmark: positionals[0],
  pairs: pairs.length,
  ratio: median(ratios),
  interval: [low, high],
  memoryRatio: median(pairs.map(([a, b]) => a.mebibytes / b.mebibytes)),
  [ours.name]: {
    seconds: median(pairs.map(([a]) => a.seconds)),
    mebibytes: median(pairs.map(([a]) => a.mebibytes)),
  },
  [theirs.name]: {
    seconds: median(pairs.map(([, b]) => b.seconds)),
    mebibytes: median(pairs.map(([, b]) => b.mebibytes)),
  },
}
if (values.json) console.log(JSON.stringify(result, null, 2))
else
  console.log(
    `${ours.name} takes ${result.ratio.toFixed(2)} × ${theirs.name} [${low.toFixed(2)}, ${high.toFixed(2)}], memory ${result.memoryRatio.toFixed(2)} ×, over ${pairs.length} pairs\n${JSON.stringify({ [ours.name]: result[ours.name], [theirs.name]: result[theirs.name] })}`,
  )
