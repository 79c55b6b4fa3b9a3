import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { jobs } from './jobs.js'
import { isWaiting } from './progress.js'

it('an engine that waits for its file is no decoder that waits for nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  // A disk that does not answer: who opens it waits until somebody writes.
  const path = join(folder, 'slow.parquet')
  execFileSync('mkfifo', [path])
  const taking = jobs.ingest({
    file: { path, name: 'slow.parquet', size: 100, modified: 0 },
    source: { layout: { kind: 'parquet' } },
    inspection: {},
    target: { location: join(folder, 'rows.parquet'), batch: 'b', requested: {}, large: false },
  } as never)
  const ended = taking.then(
    () => 'taken',
    (error) => String(error),
  )
  const seen: boolean[] = []
  for (let looks = 0; looks < 20; looks++) {
    await sleep(50)
    seen.push(isWaiting())
  }
  expect(seen).toEqual(Array(20).fill(true))
  await writeFile(path, '')
  expect(await ended).toContain('slow.parquet')
  // Files of this process have shared it with tests of others, which may still close theirs.
  await expect.poll(isWaiting).toBe(false)
})
