import { expect, it } from 'vitest'
import {
  hashOfRows,
  indexKeys,
  recentlySent,
  type SentRequest,
} from '../bronze/ingest/sent-requests.js'
import { MoraineError } from '../errors.js'
import { Batches } from '../step/batches.js'
import { MemoryStorage } from '../storage/memory.js'
import { IngestBuffer } from './ingest-buffer.js'

const HOUR = 3_600_000

it('a key is known for a day: with its rows it is a duplicate, with others a conflict', async () => {
  let now = 0
  const buffer = new IngestBuffer(new MemoryStorage(), 'events', new Map(), { now: () => now })
  const send = (row: string) => buffer.accept([row], 'k')
  expect(await send('{"id":1}')).toMatchObject({ duplicate: false })
  now = 23 * HOUR
  expect(await send('{"id":1}')).toMatchObject({ duplicate: true, rows: 1 })
  await expect(send('{"id":2}')).rejects.toThrow()
  now = 25 * HOUR
  expect(await send('{"id":2}')).toMatchObject({ duplicate: false })
})

it('the keys of a day are found without reading the manifests of a day', async () => {
  const storage = new MemoryStorage()
  const batches = new Batches(storage)
  const state = { batches: { 'bronze.events': [] as never[] }, watermarks: {} as never }
  let known: [string, SentRequest][] = []
  const put = async (number: number, at: number) => {
    const about = { name: 'events', batch: `b${number}`, number }
    const index = await indexKeys(state, about, batches, known)
    const [keys, hashes] = [[`k${number}`], [hashOfRows([`${number}`])]]
    const manifest = `bronze/events/${number}.json`
    const source = { landed: [], keys, hashes }
    const created = new Date(at).toISOString()
    const text = JSON.stringify({ format: 1, created, files: [], source })
    await storage.write(manifest, new TextEncoder().encode(text))
    state.batches['bronze.events'].push({ number, batch: about.batch, manifest } as never)
    state.watermarks = { 'bronze.events': { index } } as never
    known = [...(await recentlySent(state, 'bronze.events', new Batches(storage), at)).requests]
  }
  // A batch each quarter of an hour: 96 in a day.
  for (let i = 1; i <= 300; i++) await put(i, i * (HOUR / 4))
  expect(known.map(([key]) => key)).toEqual(Array.from({ length: 97 }, (_, i) => `k${204 + i}`))
  expect(known.at(0)?.[1].hash).toBe(hashOfRows(['204']))
  let reads = 0
  const read = storage.read.bind(storage)
  storage.read = (path) => {
    reads++
    return read(path)
  }
  await recentlySent(state, 'bronze.events', new Batches(storage), 300 * (HOUR / 4))
  expect(reads).toBeLessThanOrEqual(51)
})

it('rows that came to lie in another lake are not accepted, and do not stay there', async () => {
  let isOther = false
  const storage = new MemoryStorage()
  const write = storage.write.bind(storage)
  const refuseOther = async () => {
    if (isOther) throw new MoraineError('storage', 'Another lake lies in /mnt')
  }
  const buffer = new IngestBuffer(storage, 'events', new Map(), { refuseOther })
  const send = () => buffer.accept(['{"id":1}'], 'k')
  const landed = async () => (await storage.list('bronze/landing/')).length
  // Another disk is mounted before the object is written, or while it is.
  isOther = true
  await expect(send()).rejects.toThrow('Another lake')
  isOther = false
  storage.write = async (path, bytes) => {
    isOther = true
    await write(path, bytes)
  }
  await expect(send()).rejects.toThrow('Another lake')
  expect(await landed()).toBe(0)
  storage.write = write
  isOther = false
  expect(await send()).toMatchObject({ duplicate: false, rows: 1 })
  expect(await landed()).toBe(1)
})
