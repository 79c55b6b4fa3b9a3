import { tmpdir } from 'node:os'
import { expect, it, onTestFinished, vi } from 'vitest'
import { Staging } from '../../storage/staging.js'
import { DuckDB } from './duckdb.js'
import { DuckDBFiles } from './files/files.js'

const MINUTE = 60_000

it('a session that outlives its credentials begins each statement with ones that last', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.spyOn(DuckDBFiles.prototype, 'loads').mockImplementation(async () => true)
  const given: string[] = []
  vi.spyOn(DuckDBFiles.prototype, 'reach').mockImplementation(async ({ keyId }) => {
    given.push(keyId)
  })
  const keys = [
    60,
    60,
    new Error('nobody answers'),
    5,
    new Error('nobody answers'),
    new Error('nobody answers'),
  ]
  const access = vi.fn(async (least?: number) => {
    expect(least).toBe(30 * MINUTE)
    const [minutes] = keys.splice(0, 1)
    if (typeof minutes !== 'number') throw minutes
    const expires = new Date(Date.now() + minutes * MINUTE)
    return { url: 's3://lake', keyId: `key ${given.length + 1}`, expires } as never
  })
  const staging = new Staging()
  const lies = { isReady: () => true, fetch: async () => {} }
  staging.mount({ url: 's3://lake', folder: tmpdir(), access, ...lies })
  const engine = await DuckDB.start({ threads: 1, staging })
  onTestFinished(async () => {
    vi.useRealTimers()
    vi.restoreAllMocks()
    await engine.close()
  })
  const [session, other] = await Promise.all([engine.open(), engine.open()])
  const later = async (minutes: number) => {
    vi.setSystemTime(Date.now() + minutes * MINUTE)
    await Promise.all([session, other].map((one) => one.rows('SELECT 1')))
    return given.length
  }
  expect(await later(20)).toBe(1)
  expect(await later(11)).toBe(2)
  // What nobody gives can't be had, and what there is lasts on.
  expect(await later(31)).toBe(2)
  expect(await later(1)).toBe(2)
  expect(await later(2)).toBe(3)
  await expect(later(6)).rejects.toThrow('nobody answers')
  expect(access).toHaveBeenCalledTimes(6)
})
