import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { logs } from '../declare/files.js'
import { inspectFile } from '../files/inspect-file.js'
import type { SourceFile } from '../files/source-file.js'
import { decode } from './client.js'

/** The decoders of this process, by their numbers. */
function decoders(): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
  return lines.split('\n').flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/)
    const isOurs = line.includes('decoder.cjs') && Number(parent) === process.pid
    return isOurs ? [Number(pid)] : []
  })
}

/** A text whose pattern tries for longer than anybody waits. */
async function endless() {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'x.log')
  await writeFile(path, `${'x'.repeat(60)}\n`)
  const { size, mtimeMs } = await stat(path)
  const file: SourceFile = { path, name: 'x.log', size, modified: Math.floor(mtimeMs) }
  const source = logs(path, { format: /^(?<a>(x+x+)+y)$/ })
  const inspection = await inspectFile(file, source, { requested: new Map(), valuesFrom: 1e9 })
  return { file, input: { source, inspection, to: join(folder, 'text') } }
}

async function untilAtWork(): Promise<number> {
  for (;;) {
    const [found] = decoders()
    if (found !== undefined) return found
    await sleep(50)
  }
}

it('what ends a decoder from outside says nothing of its file: the same may succeed later', async () => {
  const { file, input } = await endless()
  const failed = decode('canonical', file, input).catch((error) => error)
  process.kill(await untilAtWork(), 'SIGKILL')
  expect(await failed).toMatchObject({ kind: 'engine', retryable: true })
})

it('a run that is cancelled ends the decoder with it', async () => {
  const { file, input } = await endless()
  const cancel = new AbortController()
  const failed = decode('canonical', file, input, cancel.signal).catch((error) => error)
  await untilAtWork()
  cancel.abort(new Error('stopped by the user'))
  expect(await failed).toMatchObject({ message: 'stopped by the user' })
  while (decoders().length > 0) await sleep(50)
})
