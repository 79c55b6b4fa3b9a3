import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { SECONDS_PER_MIB, TOTAL } from './limits.js'

/*
 * The thread that watches a decoder's process: it ends the process when a limit is passed, whatever the decoder does, and when
 * the process that started it is gone.
 */

const { shared, parent, seconds, memory } = workerData as MonitorData

/** What the monitor needs to know. */
export interface MonitorData {
  /** How often there was progress, the number of the job (0: none), and the MiB of its file. */
  shared: Int32Array
  /** The process that waits for the answer. */
  parent: number
  seconds: number
  memory: number
}

const INTERVAL = 200
/** Milliseconds in which a job neither gets on nor takes any processor time: its file can't be got at. */
const SILENT = 30 * 60_000

let job = 0
let progress = 0
let begun = 0
/** Processor time, and time, of the last progress. */
let since = { cpu: 0, time: 0 }

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function end(reason: string): void {
  writeSync(2, `\nmoraine-decoder: ${reason}\n`)
  process.kill(process.pid, 'SIGKILL')
}

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
  const now = { cpu: cpuSeconds(), time: Date.now() }
  const [count, current, mib] = [0, 1, 2].map((i) => Atomics.load(shared, i)) as [
    number,
    number,
    number,
  ]
  if (current !== job) {
    job = current
    begun = now.cpu
    since = now
  }
  if (count !== progress) {
    progress = count
    since = now
  }
  if (job === 0) return
  if (process.memoryUsage.rss() > memory) end('memory')
  if (now.cpu - since.cpu > seconds + SECONDS_PER_MIB * mib) end('stalled')
  if (now.cpu - begun > TOTAL.seconds + TOTAL.secondsPerMiB * mib) end('total')
  if (now.time - since.time > SILENT) end('silent')
}, INTERVAL)
