import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'

/** Which process it is, as it says in the lake. */
export interface ProcessIdentity {
  host: string
  /**
   * Where process ids mean the same processes, which a host name does not tell: containers may
   * share one. Earlier versions did not say it.
   */
  machine?: string
  pid: number
  /** What tells a process from a later one of the same id, where the system says it. */
  process?: string
}

/** Whether a process of this machine is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // One that belongs to somebody else is there as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * When a process began, in ticks since the machine did, which tells it from a later one of its
 * number; `undefined` where the system does not say.
 */
export function beginningOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name stands in parentheses, and may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

const orEmpty = (read: () => string): string => {
  try {
    return read()
  } catch {
    return ''
  }
}

/** The machine since it was started; empty where the system does not tell. */
export const boot = orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())

/**
 * Where process ids mean the same processes on this machine: containers may share a folder, but not
 * those.
 */
export const pidSpace = orEmpty(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '')

/**
 * A process namespace is in one machine, between two starts of it; its number is free again only
 * when its processes are gone.
 */
const machine = createHash('sha256')
  .update([hostname(), boot, pidSpace, ...(boot ? [] : addresses())].join('\n'))
  .digest('hex')
  .slice(0, 16)

/**
 * Network addresses of the hardware, where the system has nothing better to tell machines of one
 * name apart.
 */
function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? [])
  return [...new Set(all.filter(({ internal }) => !internal).map(({ mac }) => mac))].sort()
}

/** Which process this is. */
export function ownIdentity(): ProcessIdentity & { machine: string } {
  const began = beginningOf(process.pid)
  const own = { host: hostname(), machine, pid: process.pid }
  return began ? { ...own, process: began } : own
}

/**
 * Whether a process is there; `undefined` when nobody knows, as it is, or may be, of another
 * machine or container.
 */
export function isThere(of: Omit<ProcessIdentity, 'host'>): boolean | undefined {
  if (of.machine !== machine) return undefined
  return isAlive(of.pid) && (!of.process || beginningOf(of.pid) === of.process)
}
