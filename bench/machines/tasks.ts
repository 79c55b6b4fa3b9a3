import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { workers as workersEngine } from '../../src/define/index.js'
import { Processes } from '../../src/engine/workers/processes.js'
import type { Workers } from '../../src/engine/workers/workers.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { loadLake } from '../../src/load/load.js'
import { StepEngines } from '../../src/load/workers/step-engines.js'
import { environment } from '../../src/settings.js'
import { decodeReply, decodeStep, encodeStep } from '../../src/step/task/codec.js'
import { benchFolder, repository } from '../tickit.js'

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const columns = Object.fromEntries(Array.from({ length: 20 }, (_, i) => ['c' + i, t.int()]))
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  key: 'id',
  schema: z.object({ id: t.bigint(), ...columns }),
})
export default defineLake({ name: 'machines', datasets: [sales] })
`

/** What the driver does for one of many small tasks. */
export interface Overhead {
  tasks: number
  /** Milliseconds of processor time of the driver for a task, and of time. */
  cpu: number
  wall: number
  /** MiB of the heap after a tenth of the tasks, and after all of them. */
  heap: [early: number, late: number]
  /** Bytes of a task and of a reply. */
  bytes: [task: number, reply: number]
}

/**
 * Sends a real step of a small table to workers that answer at once with its real reply, again and
 * again: encoding, scheduling, pipes and decoding are what is left.
 */
export async function overheadOf(tasks: number): Promise<Overhead> {
  const { text, reply, file } = await realStep()
  const workers = new Processes({
    slots: 2,
    hello: {
      protocol: 1,
      moraine: '',
      duckdb: '',
      definition: { path: '', sha256: '' },
      root: '',
      environment: [],
    },
    command: {
      argv: [process.execPath, join(import.meta.dirname, 'echo.mjs'), file],
      env: environment(),
    },
  })
  const sent = await decodeStep(text, () => Promise.reject(new Error('nothing was laid')))
  const { signal } = new AbortController()
  function* many() {
    for (let i = 0; i < tasks; i++) yield { id: String(i), text: encodeStep(sent) }
  }
  // What is loaded and compiled once is no part of a task.
  for await (const _ of workers.map([{ id: 'first', text }], { signal }));
  const [start, before] = [performance.now(), process.cpuUsage()]
  let done = 0
  const heap: number[] = []
  for await (const outcome of workers.map(many(), { signal })) {
    if ('lost' in outcome || 'error' in decodeReply(outcome.reply)) throw new Error('no answer')
    if (++done === tasks / 10 || done === tasks) heap.push(used())
  }
  const { user, system } = process.cpuUsage(before)
  const wall = (performance.now() - start) / tasks
  await workers.close()
  const bytes: [number, number] = [text.length, reply.length]
  return { tasks, cpu: (user + system) / 1000 / tasks, wall, heap: heap as never, bytes }
}

/** MiB of what is held, without what only waits to be collected. */
function used(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed / 2 ** 20
}

/** A step of a small table, as it is sent, and the reply of a real worker. */
async function realStep(): Promise<{ text: string; reply: string; file: string }> {
  const folder = await benchFolder()
  await rm(folder, { recursive: true, force: true })
  await mkdir(join(folder, 'in'), { recursive: true })
  const file = join(folder, 'lake.ts')
  await writeFile(file, definition)
  const columns = Array.from({ length: 20 }, (_, i) => `c${i}`)
  const rows = Array.from({ length: 100 }, (_, i) => [i, ...columns.map((_, c) => c)].join(','))
  await writeFile(join(folder, 'in/1.csv'), `id,${columns.join(',')}\n${rows.join('\n')}\n`)
  const lake = await loadLake(file)
  const house = Lakehouse.at(join(folder, 'lake'))
  const found: { text: string; reply: string }[] = []
  const listening = (hello: never): Workers => {
    const argv = [process.execPath, join(repository, 'bin/moraine.js'), 'worker'] as const
    const inner = new Processes({ slots: 1, hello, command: { argv, env: environment() } })
    return {
      slots: 1,
      async *map(tasks, options) {
        for await (const task of tasks)
          for await (const outcome of inner.map([task], options)) {
            if ('reply' in outcome) found.push({ text: task.text, reply: outcome.reply })
            yield outcome
          }
      },
      close: () => inner.close(),
    }
  }
  const engines = new StepEngines(
    {
      ...{ lake, file, storage: house.storage, instead: workersEngine(1), memory: 2 ** 28 },
      log: () => {},
    },
    (_, hello) => listening(hello as never),
  )
  const engine = await house.startEngine()
  await house.run(lake, { engine, worker: engines.carryOut })
  await engines.close()
  await engine.close()
  const [one] = found
  if (!one) throw new Error('the step was not carried out')
  const replyFile = join(folder, 'reply.json')
  await writeFile(replyFile, one.reply)
  return { ...one, file: replyFile }
}
