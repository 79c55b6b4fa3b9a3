import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from '../../src/storage/alive.js'

/**
 * Whether a process runs. One that has ended, and that nobody has asked for its exit code yet, does
 * not.
 */
export function isRunning(pid: number): boolean {
  try {
    const [, state] = /^\d+ \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return state !== 'Z' && state !== 'X'
  } catch {
    // There is no /proc elsewhere.
    return process.platform !== 'linux' && isAlive(pid)
  }
}

/** Waits until a process has ended, however slow the machine is. */
export async function ended(pid: number): Promise<void> {
  while (isRunning(pid)) await sleep(20)
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  return processesBelow(pid, 1)
}

/** The processes that a process has started, and those that they have started, so many deep. */
export function processesBelow(pid: number, levels = Infinity): number[] {
  const all = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (of: readonly number[], deep: number): number[] => {
    const children = all.filter(([, parent = 0]) => of.includes(parent)).map(([child = 0]) => child)
    if (children.length === 0 || deep === 1) return children
    return [...children, ...below(children, deep - 1)]
  }
  return below([pid], levels)
}

/** Waits until a process has worked for longer than it takes to start: for so many seconds. */
export async function working(pid: number, longer = 1): Promise<void> {
  const seconds = () => {
    const text = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' })
    return text
      .trim()
      .split(/[:-]/)
      .reduce((sum, part) => sum * 60 + Number(part), 0)
  }
  while (seconds() < longer) await sleep(100)
}
