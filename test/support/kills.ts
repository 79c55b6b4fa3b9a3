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
 * its work (see faults/kill-at.mjs).
 *
 * @param how `before:17` or `after:17` for the 17th time that it touches the lake.
 */
export async function killed(
  { folder }: { folder: string },
  root: string,
  how: string,
  { command = ['run'], env = {} }: Killing = {},
): Promise<Ending> {
  const tool = [
    '--import',
    join(repository, 'test/faults/kill-at.mjs'),
    join(repository, 'bin/moraine.js'),
  ]
  const child = spawn(process.execPath, [...tool, '-C', folder, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, MORAINE_ROOT: root, MORAINE_KILL: how },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text
    })
  const [code, signal] = await once(child, 'close')
  return { died: signal === 'SIGKILL', code, output }
}

/** Runs a command to its end; the points at which it could have been killed, from 1 on. */
export async function pointsOf(
  project: { folder: string },
  root: string,
  { command = ['run'], env = {} }: Killing = {},
): Promise<number[]> {
  const count = join(await temporaryFolder(), 'count')
  const { output } = await killed(project, root, 'count', {
    command,
    env: { ...env, MORAINE_KILL_COUNT: count },
  })
  const points = Number(await readFile(count, 'utf8'))
  if (points === 0) throw new Error(`It never touched ${root}:\n${output}`)
  return Array.from({ length: points }, (_, i) => i + 1)
}
