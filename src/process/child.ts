import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../home.js'
import { variable } from '../settings.js'

/*
 * Processes that we start. Each calls `watchParent` (`watchdog.ts`) first, and so ends with this
 * process whatever it does. Loads next to nothing, so that one can be started before the command
 * that needs it is loaded.
 */

/**
 * Why a child ended itself. Each reason has a signal of its own: that tells it also when nothing
 * else of the child runs.
 */
export type Ending = 'memory' | 'stalled'

export const endings: Readonly<Record<Ending, NodeJS.Signals>> = {
  memory: 'SIGUSR2',
  stalled: 'SIGALRM',
}

export interface ChildOptions {
  /**
   * Arguments of the script, from `process.argv[3]` on: the second is the process that it belongs
   * to.
   */
  args?: readonly string[]
  /**
   * What it needs of the environment beside the path and the folder for temporary files: no secrets
   * unless they are named.
   */
  env?: Readonly<Record<string, string>>
  /** Options of Node's. */
  execArgv?: readonly string[]
  /** Whether what it writes to its standard error is wanted. */
  isHeard?: boolean
}

/**
 * Starts a script of Moraine's in a process of its own, with a channel for messages.
 *
 * @param script must call `watchParent()` before anything else.
 * @throws MoraineError of kind `storage` where there is no folder for temporary files.
 */
export function startChild(script: URL, options: ChildOptions = {}): ChildProcess {
  const { args = [], env = {}, execArgv = [], isHeard = false } = options
  const temporary = temporaryFolder()
  return fork(fileURLToPath(script), [String(process.pid), ...args], {
    serialization: 'advanced',
    execArgv: [...execArgv],
    cwd: temporary,
    env: { PATH: variable('PATH') ?? '', TMPDIR: temporary, ...env },
    stdio: ['ignore', 'ignore', isHeard ? 'pipe' : 'ignore', 'ipc'],
  })
}

/** Why a child that is gone ended itself; `undefined` where it did not. */
export function endingOf({ signalCode }: ChildProcess): Ending | undefined {
  return (Object.keys(endings) as Ending[]).find((reason) => endings[reason] === signalCode)
}

/** Whether a child has not ended, by itself or by a signal. */
export function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

/** Ends a child, whatever it does; resolves when it is gone. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
