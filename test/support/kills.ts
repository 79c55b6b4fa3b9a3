import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Project, repository, temporaryFolder } from './project.js'

/** How a command ended that may have been killed, and what it said. */
export interface Ending {
  died: boolean
  code: number | null
  output: string
}

/**
 * Runs a command of a project that kills itself at a point of its work (see faults/kill-at.mjs).
 *
 * @param how `before:17` or `after:17` for the 17th time that it touches the lake's folder.
 */
export async function killed(
  project: Project,
  root: string,
  how: string,
  command: readonly string[] = ['run'],
  count = '',
): Promise<Ending> {
  const tool = [
    '--import',
    join(repository, 'test/faults/kill-at.mjs'),
    join(repository, 'bin/moraine.js'),
  ]
  const child = spawn(process.execPath, [...tool, '-C', project.folder, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MORAINE_ROOT: root, MORAINE_KILL: how, MORAINE_KILL_COUNT: count },
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
  project: Project,
  root: string,
  command?: readonly string[],
): Promise<number[]> {
  const count = join(await temporaryFolder(), 'count')
  await killed(project, root, 'count', command, count)
  const points = Number(await readFile(count, 'utf8'))
  return Array.from({ length: points }, (_, i) => i + 1)
}
