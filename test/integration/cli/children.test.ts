import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endingOf, startChild } from '../../../src/process/child.js'
import { ended, isRunning } from '../../support/processes.js'
import { repository } from '../../support/project.js'

const scripts = join(repository, 'test/support/children')
const ways = ['idle', 'asleep', 'busy']

/** Starts a process that has started another one. */
async function startBoth(how: string, ...more: string[]) {
  const parent = spawn(process.execPath, [join(scripts, 'parent.mjs'), how, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(createInterface(parent.stdout), 'line')
  const pid = Number(line)
  onTestFinished(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  })
  return { parent, pid }
}

const end = async (parent: ChildProcess, signal: NodeJS.Signals) => {
  parent.kill(signal)
  await once(parent, 'exit')
}

describe('a process that we start', () => {
  for (const how of ways)
    it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
      `ends with its parent by %s while it is ${how}`,
      async (signal) => {
        const { parent, pid } = await startBoth(how)
        await end(parent, signal)
        await ended(pid)
      },
    )

  it('ends with a parent that is busy', async () => {
    const { parent, pid } = await startBoth('busy', 'busy')
    await end(parent, 'SIGKILL')
    await ended(pid)
  })

  it.each(ways)('goes on while its parent is stopped, and it is %s', async (how) => {
    const { parent, pid } = await startBoth(how)
    parent.kill('SIGSTOP')
    await sleep(1500)
    expect(isRunning(pid)).toBe(true)
    parent.kill('SIGCONT')
    await end(parent, 'SIGTERM')
    await ended(pid)
  })

  it('ends at once where its parent is gone before it began', async () => {
    const child = spawn(process.execPath, [join(scripts, 'stuck.mjs'), '1', 'busy'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
  })

  it('ends when it holds more memory than it may, and says so', async () => {
    const child = startChild(pathToFileURL(join(scripts, 'stuck.mjs')), {
      args: ['greedy', String(300 * 2 ** 20)],
    })
    await once(child, 'exit')
    expect(endingOf(child)).toBe('memory')
  })
})
