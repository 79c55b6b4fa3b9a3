import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from '../../src/storage/alive.js'

/** Whether a process runs. One that has ended, and that nobody has asked for its exit code yet, does not. */
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
