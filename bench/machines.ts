import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Overhead, overheadOf } from './machines/tasks.js'
import { benchFolder, repository } from './tickit.js'
import { tpcdsData } from './tpcds.js'

const TASKS = 10_000

/** How steps of silver and gold are carried out: what `--engine` says. */
const ENGINES = ['duckdb', 'workers:1', 'workers:2', 'workers:4']
/** Spark on this machine, where MORAINE_PYTHON has pyspark. */
const SPARK = 'spark:local[2]'

interface Took {
  /** Seconds. */
  wall: number
  /** Processor seconds of the run and of all that it has started. */
  cpu: number
}

/**
 * Runs of TPC-DS in one process and on workers, by turns, and what the driver does for each of
 * 10,000 small tasks (Linux).
 */
export async function machines(scale: number, pairs: number): Promise<string> {
  const overhead = await overheadOf(TASKS)
  const data = await tpcdsData(scale)
  const folder = await benchFolder()
  const env = { TPCDS_DATA: data, MORAINE_ROOT: join(folder, 'lake') }
  const engines = process.env.MORAINE_PYTHON ? [...ENGINES, SPARK] : ENGINES
  const all = new Map<string, Took[]>(engines.map((engine) => [engine, []]))
  for (let pair = 0; pair < pairs; pair++)
    for (const engine of pair % 2 === 0 ? engines : engines.toReversed()) {
      await rm(env.MORAINE_ROOT, { recursive: true, force: true })
      all.get(engine)?.push(await run(engine, env))
    }
  return shown(overhead, all)
}

async function run(engine: string, env: NodeJS.ProcessEnv): Promise<Took> {
  const lake = join(import.meta.dirname, 'tpcds')
  const args = [join(repository, 'bin/moraine.js'), '-C', lake, 'run', '--engine', engine]
  const [start, before] = [performance.now(), cpuOfChildren()]
  // Processes of Spark are left to others when it ends: here to one that waits for all of them.
  const init =
    engine === SPARK
      ? ['unshare', '-p', '-f', '--mount-proc', 'sh', '-c', '"$@"; code=$?; wait; exit $code', 'sh']
      : []
  const [program = '', ...rest] = [...init, process.execPath, ...args]
  const child = spawn(program, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`moraine run --engine ${engine} ended with ${code}`)
  return { wall: (performance.now() - start) / 1000, cpu: cpuOfChildren() - before }
}

/** Processor seconds of processes that have ended, and whose parents have waited for them. */
function cpuOfChildren(): number {
  const text = readFileSync('/proc/self/stat', 'utf8')
  // User and system time of children in hundredths of a second, counted behind the name.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number

function shown(overhead: Overhead, all: ReadonlyMap<string, readonly Took[]>): string {
  const { tasks, cpu, wall, heap, bytes } = overhead
  const [first = []] = all.values()
  const ratio = (took: readonly Took[], of: keyof Took) =>
    median(took.map((one, i) => one[of] / (first[i] as Took)[of])).toFixed(2)
  const lines = [...all].map(([engine, took]) =>
    [
      engine.padEnd(12),
      `${median(took.map(({ wall }) => wall)).toFixed(1)} s`.padStart(8),
      `CPU ${median(took.map(({ cpu }) => cpu)).toFixed(1)} s`.padStart(12),
      `time ${ratio(took, 'wall')} ×, CPU ${ratio(took, 'cpu')} × of one process`,
    ].join('  '),
  )
  const kib = bytes.map((size) => `${(size / 1024).toFixed(1)} KiB`)
  return [
    `${tasks.toLocaleString('en-US')} small tasks (${kib[0]} each, replies ${kib[1]}): the driver takes ${cpu.toFixed(2)} ms of CPU each, ${wall.toFixed(2)} ms of time;`,
    `  its heap: ${heap[0].toFixed(0)} MiB after a tenth of them, ${heap[1].toFixed(0)} MiB after all`,
    `TPC-DS, the middle of ${first.length}:`,
    ...lines,
  ].join('\n')
}
