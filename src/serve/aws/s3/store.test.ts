import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ObjectStore } from './store.js'
import { Uploads } from './uploads.js'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'moraine-objects-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

async function* bytes(size: number) {
  yield new Uint8Array(size)
}

it('has all objects but the one that was being described when the machine went down', async () => {
  const path = await folder()
  await new ObjectStore(path).put('results', 'whole.csv', bytes(3))
  const other = await new ObjectStore(path).put('results', 'cut.csv', bytes(5))
  for (const name of await readdir(path))
    if ((await readFile(join(path, name), 'utf8')).includes('cut.csv'))
      await writeFile(join(path, name), '')
  const kept = new ObjectStore(path)
  expect((await kept.list('results', '')).map(({ key }) => key)).toEqual(['whole.csv'])
  expect(await readdir(path)).toHaveLength(2)
  expect(await readdir(path)).not.toContain(other.blob)
  await kept.put('results', 'cut.csv', bytes(5))
  expect(await kept.list('results', '')).toHaveLength(2)
})

it('has the last of several that are put under one name at once, after a restart too', async () => {
  const path = await folder()
  const store = new ObjectStore(path)
  await Promise.all(Array.from({ length: 30 }, (_, i) => store.put('b', 'k', bytes(i + 1))))
  const found = await store.get('b', 'k')
  expect(await new ObjectStore(path).get('b', 'k')).toEqual(found)
  expect(await readdir(path)).toHaveLength(2)
  expect(await readdir(path)).toContain(found?.blob)
})

it('leaves others room on the disk, for parts of uploads as well', async () => {
  const path = await folder()
  let written = 0
  async function* large() {
    for (let i = 0; i < 50; i++, written += 4e6) yield* bytes(4e6)
  }
  // 2 GB, with room for some parts.
  const store = new ObjectStore(path, () => ({ size: 2e9, free: 2e8 - written }))
  await expect(store.put('results', 'large', large())).rejects.toMatchObject({ code: 'SlowDown' })
  expect(written).toBeLessThan(1e8)
  written = 0
  const uploads = new Uploads()
  const ada = { name: 'ada' } as never
  const id = await uploads.begin(ada, { bucket: 'b', key: 'k' }, {}, store)
  const upload = uploads.get(ada, id, 'b', 'k')
  await expect(uploads.addPart(upload, 1, large(), store)).rejects.toMatchObject({
    code: 'SlowDown',
  })
  expect(await readdir(path)).toEqual([])
  written = 0
  await store.put('results', 'small', bytes(1000))
})

it('has room for the uploads of each, whatever others have begun', async () => {
  const uploads = new Uploads()
  const store = new ObjectStore(await folder())
  const begin = (name: string) =>
    uploads.begin({ name } as never, { bucket: 'b', key: 'k' }, {}, store)
  for (let i = 0; i < 1000; i++) await begin('ada')
  await expect(begin('ada')).rejects.toThrow('too many uploads')
  expect(await begin('bob')).toEqual(expect.any(String))
})

it('removes the parts of uploads that were given up, and of no others', async () => {
  const path = await folder()
  const now = { hour: 0 }
  const uploads = new Uploads(() => now.hour * 3_600_000)
  const store = new ObjectStore(path)
  const ada = { name: 'ada' } as never
  const begin = (key: string) => uploads.begin(ada, { bucket: 'b', key }, {}, store)
  const [old, slow] = [await begin('old'), await begin('slow')]
  await uploads.addPart(uploads.get(ada, old, 'b', 'old'), 1, bytes(10), store)
  await uploads.addPart(uploads.get(ada, slow, 'b', 'slow'), 1, bytes(10), store)
  now.hour = 20
  await uploads.addPart(uploads.get(ada, slow, 'b', 'slow'), 2, bytes(10), store)
  now.hour = 30
  await begin('new')
  expect(() => uploads.get(ada, old, 'b', 'old')).toThrow('does not exist')
  expect(uploads.parts(uploads.get(ada, slow, 'b', 'slow'))).toHaveLength(2)
  expect(await readdir(path)).toHaveLength(2)
})

it('puts an object where there was none, or one that is known, for one of several at once', async () => {
  const path = await folder()
  const store = new ObjectStore(path)
  const won = async (expected: 'nothing' | { etag: string }) => {
    const put = (_: unknown, i: number) => store.put('b', 'k', bytes(i + 1), { expected })
    const all = await Promise.allSettled(Array.from({ length: 10 }, put))
    for (const one of all)
      if (one.status === 'rejected') expect(one.reason.code).toBe('PreconditionFailed')
    const done = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(await store.get('b', 'k')).toEqual(done[0])
    // Of those that came too late, nothing is left.
    expect(await readdir(path)).toHaveLength(2)
    return done
  }
  const [first, ...others] = await won('nothing')
  expect(others).toEqual([])
  const next = store.put('b', 'k', bytes(100), { expected: { etag: first?.etag ?? '' } })
  const { etag } = await next
  expect((await won({ etag })).length).toBe(1)
  await expect(store.put('b', 'new', bytes(1), { expected: { etag } })).rejects.toMatchObject({
    code: 'NoSuchKey',
  })
})
