import type { ChildProcess } from 'node:child_process'
import { builtFile } from '../home.js'
import { startChild } from '../process/child.js'

/*
 * Loads next to nothing, so that the process of a query can be started before the command that
 * needs it is loaded: both take their time to start.
 */

let ready: ChildProcess | undefined
let patience: NodeJS.Timeout | undefined

/** Milliseconds for which a process waits for another query. */
const PATIENCE = 30_000

/** Starts a process for the query that is about to be asked. */
export function startAhead(): void {
  try {
    giveBack(start())
  } catch {
    // Whoever takes one is told why there is none.
  }
}

/** A process for a query, which nobody else has until it is given back. */
export function takeProcess(): ChildProcess {
  const taken = ready
  ready = undefined
  clearTimeout(patience)
  if (!taken?.connected) return start()
  taken.ref()
  taken.channel?.ref()
  return taken
}

/** Keeps a process whose query is done for the next one; one is enough. */
export function giveBack(process: ChildProcess): void {
  // Nobody waits for it: it ends with us.
  process.unref()
  process.channel?.unref()
  const end = () => {
    if (ready === process) ready = undefined
    // It ends without its channel.
    if (process.connected) process.disconnect()
  }
  if (ready?.connected) {
    end()
    return
  }
  ready = process
  clearTimeout(patience)
  patience = setTimeout(end, PATIENCE).unref()
}

function start(): ChildProcess {
  // No secrets of this process for the query: only what it takes to start.
  return startChild(builtFile('query/worker.cjs'))
}
