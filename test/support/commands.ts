import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Outcome } from './project.js'

/*
 * Commands that share a process, for tests of what a command does. Tests of how it starts, is
 * stopped or ends have a process for each: `moraine()`.
 */

/** Commands that one process runs before another takes its place. */
const MOST = 200
const program = fileURLToPath(new URL('children/commands.mjs', import.meta.url))

interface Runner {
  child: ChildProcess
  /** What its commands see of the environment, as that of this process was when it started. */
  env: string
  commands: number
}

interface Message {
  stdout?: string
  stderr?: string
  code?: number
  isLast?: boolean
}

/** Those that wait for a command: as many as ever ran at once. */
const idle: Runner[] = []

function start(env: string): Runner {
  const child = fork(program, [], {
    execArgv: [],
    serialization: 'advanced',
    env: JSON.parse(env),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return { child, env, commands: 0 }
}

/** Nobody waits for it: it ends with this process. */
function putBack(runner: Runner, isLast: boolean): void {
  const { child } = runner
  if (isLast || ++runner.commands === MOST) child.kill('SIGKILL')
  else idle.push(runner)
  child.unref()
  child.channel?.unref()
}

/** One that sees this environment; others than that are of no use any more. */
function take(env: string): Runner {
  for (let runner = idle.pop(); runner; runner = idle.pop()) {
    if (runner.env === env && runner.child.connected) return runner
    runner.child.kill('SIGKILL')
  }
  return start(env)
}

/** Runs a command line, one after the other in a process. */
export function command(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const runner = take(JSON.stringify({ ...process.env, NO_COLOR: '1', ...env }))
  const { child } = runner
  child.ref()
  child.channel?.ref()
  const out = { stdout: '', stderr: '' }
  return new Promise((resolve) => {
    const settle = (code: number | null) => {
      child.off('message', said).off('exit', settle)
      resolve({ code, ...out })
    }
    const said = ({ stdout = '', stderr = '', code, isLast = false }: Message) => {
      out.stdout += stdout
      out.stderr += stderr
      if (code === undefined) return
      putBack(runner, isLast)
      settle(code)
    }
    child.on('message', said).on('exit', settle)
    child.send([...args])
  })
}
