import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../test/support/until.js'
import { bronze, defineLake } from '../define/index.js'
import { MoraineError } from '../errors.js'
import { CommitLog } from '../log/log.js'
import { inbox } from '../source/index.js'
import { InThisThread } from '../step/javascript.js'
import { LocalStorage } from '../storage/local.js'
import { Daemon } from './daemon.js'
import type { DaemonEvent } from './daemon-options.js'

/** A folder on a file system that is read-only for a time. */
class Mounted extends LocalStorage {
  isReadOnly = true

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (!this.isReadOnly) return super.createIfAbsent(path, bytes)
    const cause = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
    throw new MoraineError('storage', `Can't create ${path}`, { cause, hint: 'It is read-only.' })
  }
}

async function daemonOf(storage: LocalStorage) {
  const events: DaemonEvent[] = []
  const daemon = new Daemon({
    lake: defineLake({ name: 'shop', datasets: [bronze('orders', { from: inbox() })] }),
    storage,
    log: new CommitLog(storage),
    startEngine: () => Promise.reject(new Error('There is nothing to run')),
    javascript: new InThisThread(),
    concurrency: 1,
    sweep: 60_000,
    onEvent: (event) => events.push(event),
  })
  onTestFinished(async () => {
    await daemon.stop()
    await daemon.close()
  })
  return { daemon, events }
}

it('serves a lake without commits that can’t be written as it is, and begins it once it can be', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-daemon-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const storage = new Mounted(folder)
  const { daemon, events } = await daemonOf(storage)
  await daemon.beginLake()
  await daemon.watchFolders()
  daemon.start()
  await daemon.beginLake()
  const message = `There is no lake at ${storage.url} yet, and it can't be written: it is served empty, and no job runs until that changes. It is read-only.`
  expect(events).toEqual([{ type: 'warning', message }])
  expect(daemon.problems).toEqual([message])
  expect(daemon.health.state).toEqual({ up: true })
  expect(await readdir(folder)).toEqual([])
  storage.isReadOnly = false
  const landing = join(folder, 'bronze/landing/orders')
  await until('it looks for what arrives', () => existsSync(landing))
  expect(existsSync(join(folder, '_moraine/lake.json'))).toBe(true)
  expect(daemon.problems).toEqual([])
})

it('does not take a lake that is gone for one that is empty', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-daemon-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const storage = new Mounted(folder)
  storage.isReadOnly = false
  const { daemon, events } = await daemonOf(storage)
  await daemon.beginLake()
  await rm(join(folder, '_moraine'), { recursive: true })
  storage.isReadOnly = true
  await expect(daemon.beginLake()).rejects.toThrow('no longer exists')
  expect(events).toEqual([])
})
