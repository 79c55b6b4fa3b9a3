import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Measure } from './main.js'

/**
 * What a process has taken so far: its peak memory in KiB, and processor time in seconds (Linux).
 */
export function used({ pid }: ChildProcess): { peak: number; cpu: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  // Fields 14 and 15, counted behind the name: user and system time in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return {
    peak: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0),
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
  }
}

/** Runs a program to its end; its peak memory and processor time are read while it runs (Linux). */
export async function measure(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  folder?: string,
): Promise<Measure> {
  const start = performance.now()
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
    ...(folder === undefined ? {} : { cwd: folder }),
  })
  let peak = 0
  let cpu = 0
  const timer = setInterval(() => {
    try {
      const now = used(child)
      peak = Math.max(peak, now.peak)
      cpu = Math.max(cpu, now.cpu)
    } catch {
      // It has just ended.
    }
  }, 20)
  const [code] = await once(child, 'exit')
  clearInterval(timer)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`)
  return { seconds: (performance.now() - start) / 1000, cpu, mebibytes: peak / 1024 }
}
