import { type ChildProcess, fork } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

/*
 * Loads nothing else, so that the process of a query can be started before the command that needs it is loaded: both take
 * their time to start.
 */

let ready: ChildProcess | undefined

/** Starts a process for the query that is about to be asked. */
export function startAhead(): void {
  ready = start()
  // Who asks nothing after all does not wait for it; it ends with us.
  ready.unref()
  ready.channel?.unref()
}

/** A process for one query. */
export function takeProcess(): ChildProcess {
  const taken = ready
  ready = undefined
  if (!taken || taken.exitCode !== null) return start()
  taken.ref()
  taken.channel?.ref()
  return taken
}

function start(): ChildProcess {
  const built = import.meta.url.replace(/\/src\/query\/spawn\.ts$/, '/dist/query/spawn.js')
  return fork(fileURLToPath(new URL('./worker.js', built)), {
    serialization: 'advanced',
    execArgv: [],
    cwd: tmpdir(),
    // No secrets of this process for the query: only what it takes to start.
    env: { PATH: process.env.PATH ?? '', TMPDIR: tmpdir() },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}
