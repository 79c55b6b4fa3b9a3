import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { benchFolder, repository } from './tickit.js'
import { tpcdsData } from './tpcds.js'

interface Pinned {
  cores: number
  /** Seconds from its start to its end. */
  wall: number
  /** Processor seconds of all threads, and of the main one. */
  cpu: number
  main: number
}

/**
 * A run of TPC-DS pinned to one core, and to more: how much faster it gets, which threads take how
 * long, and the bound that what is serial sets for machines of more cores (Linux).
 */
export async function cores(scale: number, pairs: number): Promise<string> {
  const data = await tpcdsData(scale)
  const folder = await benchFolder()
  const env = { TPCDS_DATA: data, MORAINE_ROOT: join(folder, 'lake') }
  const most = availableParallelism()
  const counts = [...new Set([1, 2, 4, 8, 16].filter((n) => n <= most).concat(most))]
  const all = new Map<number, Pinned[]>(counts.map((n) => [n, []]))
  for (let pair = 0; pair < pairs; pair++)
    for (const n of counts) {
      await rm(env.MORAINE_ROOT, { recursive: true, force: true })
      all.get(n)?.push(await pinned(n, env))
    }
  return shown(counts.map((n) => medianOf(all.get(n) ?? [])))
}

async function pinned(cores: number, env: NodeJS.ProcessEnv): Promise<Pinned> {
  const command = [process.execPath, join(repository, 'bin/moraine.js')]
  const args = ['-C', join(import.meta.dirname, 'tpcds'), 'run']
  const start = performance.now()
  const child = spawn('taskset', ['-c', `0-${cores - 1}`, ...command, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const threads = new Map<string, number>()
  const timer = setInterval(() => look(Number(child.pid), threads), 20)
  const [code] = await once(child, 'exit')
  clearInterval(timer)
  if (code !== 0) throw new Error(`moraine run ended with ${code}`)
  const cpu = [...threads.values()].reduce((sum, seconds) => sum + seconds, 0)
  const main = threads.get(String(child.pid)) ?? 0
  return { cores, wall: (performance.now() - start) / 1000, cpu, main }
}

/** Notes what threads have taken so far: those that end keep what they were last seen with. */
function look(pid: number, threads: Map<string, number>): void {
  try {
    for (const id of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8')
      // User and system time in hundredths of a second, counted behind the name.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      threads.set(id, (Number(fields[11]) + Number(fields[12])) / 100)
    }
  } catch {
    // It has just ended, or one of its threads has.
  }
}

/** The run that took the middle time of all. */
function medianOf(runs: readonly Pinned[]): Pinned {
  const sorted = runs.toSorted((a, b) => a.wall - b.wall)
  return sorted[sorted.length >> 1] as Pinned
}

function shown(runs: readonly Pinned[]): string {
  const [one] = runs as [Pinned]
  const lines = runs.map((run) => {
    const { cpu, main } = run
    const idle = run.wall * run.cores - cpu
    return [
      `${run.cores} cores`.padEnd(9),
      `${run.wall.toFixed(1)} s`.padStart(8),
      `${(one.wall / run.wall).toFixed(2)} ×`.padStart(8),
      `CPU ${cpu.toFixed(1)} s, main thread ${main.toFixed(1)} s, idle ${idle.toFixed(1)} s`,
    ].join('  ')
  })
  return [...lines, ...bounds(one, runs.at(-1) as Pinned)].join('\n')
}

/** By Amdahl's law: what is serial is what does not get less with more cores. */
function bounds(one: Pinned, most: Pinned): string[] {
  if (most.cores === 1) return ['One core: nothing can be said of more.']
  const serial = Math.max(0, (most.wall * most.cores - one.wall) / (most.cores - 1))
  const bound = (n: number) => `${(serial + (one.wall - serial) / n).toFixed(1)} s on ${n}`
  return [`serial: ${serial.toFixed(1)} s; so at least ${[4, 8, 16].map(bound).join(', ')} cores`]
}
