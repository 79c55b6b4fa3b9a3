import type { ChildProcess } from 'node:child_process'
import { builtFile } from '../home.js'
import { startChild } from '../process/child.js'

/*
 * Loads next to nothing, so that the process of a query can be started before the command that
 * needs it is loaded: both take their time to start.
 */

/** A process that waits for a query. */
interface Idle {
  process: ChildProcess
  /** For whom it has run queries; nobody else may have it. One that has run none has no owner. */
  owner: string | null
  patience: NodeJS.Timeout
}

const idle: Idle[] = []
/** How many processes may wait. */
let most = 1

/** Milliseconds for which a process waits for another query. */
const PATIENCE = 30_000

/** Keeps more processes waiting than one, for a program that answers many. */
export function keepWarm(processes: number): void {
  most = Math.max(most, processes)
}

/** Starts a process for the query that is about to be asked. */
export function startAhead(): void {
  try {
    giveBack(start(), null)
  } catch {
    // Whoever takes one is told why there is none.
  }
}

/**
 * A process for a query, which nobody else has until it is given back.
 *
 * @param owner who asks: a process may still be able to open files of its earlier queries.
 */
export function takeProcess(owner = ''): ChildProcess {
  const at = idle.findIndex((one) => one.owner === owner)
  const found = at >= 0 ? at : idle.findIndex((one) => one.owner === null)
  if (found < 0) return start()
  const [{ process, patience }] = idle.splice(found, 1) as [Idle]
  clearTimeout(patience)
  if (!process.connected) return takeProcess(owner)
  process.ref()
  process.channel?.ref()
  return process
}

/** Whether a process waits that this owner could have. */
export function hasWarm(owner: string): boolean {
  return idle.some((one) => one.owner === owner || one.owner === null)
}

/** Keeps a process whose query is done for the next one of its owner. */
export function giveBack(process: ChildProcess, owner: string | null = ''): void {
  // Nobody waits for it: it ends with us.
  process.unref()
  process.channel?.unref()
  const patience = setTimeout(() => {
    const at = idle.findIndex((one) => one.process === process)
    if (at >= 0) idle.splice(at, 1)
    end(process)
  }, PATIENCE).unref()
  idle.push({ process, owner, patience })
  while (idle.length > most) {
    const [oldest] = idle.splice(0, 1) as [Idle]
    clearTimeout(oldest.patience)
    end(oldest.process)
  }
}

function end(process: ChildProcess): void {
  // It ends without its channel.
  if (process.connected) process.disconnect()
}

function start(): ChildProcess {
  // No secrets of this process for the query: only what it takes to start.
  return startChild(builtFile('query/worker.cjs'))
}
