import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** Runs a program to its end, and says what it and all it waited for took. */
export type Counter = (
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
) => Promise<number>

interface Counting {
  count: Counter
  unit: string
}

async function end(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe'] as const
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: [...stdio] })
  const said = text(child.stdio[3] as NodeJS.ReadableStream)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  return said
}

/**
 * Instructions in billions, of its own and not the kernel's: the same whatever else the machine
 * does. `undefined` where they can't be counted.
 */
export async function countInstructions(): Promise<Counting | undefined> {
  const count: Counter = async (command, args, env) => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-count-'))
    try {
      const to = join(folder, 'counted')
      const options = ['stat', '-x', ',', '-e', 'instructions:u', '-o', to, '--']
      await end('perf', [...options, command, ...args], env)
      const found = /^(\d+),/m.exec(await readFile(to, 'utf8'))?.[1]
      if (found === undefined) throw new Error('There are no counters of instructions')
      return Number(found) / 1e9
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return count('true', [], {}).then(
    () => ({ count, unit: 'Billions of instructions' }),
    () => undefined,
  )
}

/** Seconds of processor time, which a shell tells of what it has waited for. */
export const countCpu: Counting = {
  unit: 'Seconds of processor time',
  count: async (command, args, env) => {
    const script = '"$@"; code=$?; times >&3; exit $code'
    const said = await end('bash', ['-c', script, 'bash', command, ...args], env)
    // The second line is of children: user and system time, as `1m2.345s`.
    const times =
      said
        .trim()
        .split('\n')[1]
        ?.matchAll(/(\d+)m([\d.]+)s/g) ?? []
    return [...times].reduce(
      (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
      0,
    )
  },
}
