import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository, temporaryFolder } from './project.js'

/** How a command ended that may have been killed, and what it said. */
export interface Ending {
  died: boolean
  code: number | null
  output: string
}

interface Killing {
  command?: readonly string[]
  env?: NodeJS.ProcessEnv
}

/**
 * Runs a command of a project, on a lake in a folder or a bucket, that kills itself at a point of
 * its work (see faults/kill-at.mjs). A run may touch the lake less often than the one before it,
 * and then ends by itself.
 *
 * @param how `before:17` or `after:17` for the 17th time that it touches the lake.
 * @throws where it got to that point, and lived.
 */
export async function killed(
  project: { folder: string },
  root: string,
  how: string,
  killing: Killing = {},
): Promise<Ending> {
  const { touched, ...ending } = await started(project, root, how, killing)
  const point = Number(how.split(':')[1])
  if (!ending.died && touched >= point)
    throw new Error(
      `It was to die at ${how}, touched ${root} ${touched} times and lived:\n${ending.output}`,
    )
  return ending
}

async function started(
  { folder }: { folder: string },
  root: string,
  how: string,
  { command = ['run'], env = {} }: Killing,
): Promise<Ending & { touched: number }> {
  const tool = [
    '--import',
    join(repository, 'test/faults/kill-at.mjs'),
    join(repository, 'bin/moraine.js'),
  ]
  const count = join(await temporaryFolder(), 'count')
  const child = spawn(process.execPath, [...tool, '-C', folder, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...env,
      MORAINE_ROOT: root,
      MORAINE_KILL: how,
      MORAINE_KILL_COUNT: count,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text
    })
  const [code, signal] = await once(child, 'close')
  const died = signal === 'SIGKILL'
  return { died, code, output, touched: died ? 0 : Number(await readFile(count, 'utf8')) }
}

/** Runs a command to its end; the points at which it could have been killed, from 1 on. */
export async function pointsOf(
  project: { folder: string },
  root: string,
  killing: Killing = {},
): Promise<number[]> {
  const { touched, output } = await started(project, root, 'count', killing)
  if (touched === 0) throw new Error(`It never touched ${root}:\n${output}`)
  return Array.from({ length: touched }, (_, i) => i + 1)
}

/**
 * Ways to be killed at these points: before each of them, and after one in so many and the last.
 * What lies there after one touch of the lake is what lies there before the next.
 */
export function waysAt(points: readonly number[], afterOneIn: number): string[] {
  return points.flatMap((at, i) => [
    `before:${at}`,
    ...(i % afterOneIn === 0 || i === points.length - 1 ? [`after:${at}`] : []),
  ])
}

/** Deaths that are tried at the same time: each waits more than it works. */
const TOGETHER = 3

/** Tries ways to die, some at the same time, each in a folder of its own. */
export async function trying(
  ways: readonly string[],
  one: (how: string, folder: string) => Promise<void>,
): Promise<void> {
  const left = [...ways]
  const next = async () => {
    for (let how = left.shift(); how !== undefined; how = left.shift())
      await one(how, `tried-${how.replace(':', '-')}`)
  }
  await Promise.all(Array.from({ length: TOGETHER }, next))
}
