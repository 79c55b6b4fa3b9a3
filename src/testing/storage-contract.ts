import assert from 'node:assert/strict'
import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'

/** One promise of an interface, as a test that any runner can run. */
export interface ContractCase {
  name: string
  run(): Promise<void>
}

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

type Given = (name: string, run: (storage: Storage) => Promise<void>) => ContractCase

/** Objects are created once, and stay as they are. */
const creating = (given: Given): ContractCase[] => [
  given('creates an object once, and refuses it a second time', async (storage) => {
    assert.equal(await storage.createIfAbsent('a/b.json', bytes('one')), true)
    assert.equal(await storage.createIfAbsent('a/b.json', bytes('two')), false)
    assert.equal(text(await storage.read('a/b.json')), 'one')
  }),
  given('lets exactly one of many writers create an object', async (storage) => {
    for (let round = 0; round < 20; round++) {
      const path = `race/${round}.json`
      const writers = Array.from({ length: 16 }, (_, i) => `writer ${i}`)
      const won = await Promise.all(writers.map((w) => storage.createIfAbsent(path, bytes(w))))
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal(text(await storage.read(path)), writers[won.indexOf(true)])
    }
  }),
  given('never overwrites with write', async (storage) => {
    await storage.write('x', bytes('one'))
    await assert.rejects(storage.write('x', bytes('two')))
    assert.equal(text(await storage.read('x')), 'one')
  }),
  given('keeps empty objects and objects of many bytes', async (storage) => {
    const large = new Uint8Array(5_000_000).map((_, i) => i % 251)
    await storage.write('empty', new Uint8Array())
    await storage.write('large', large)
    assert.equal((await storage.read('empty')).length, 0)
    assert.deepEqual(Buffer.compare(await storage.read('large'), large), 0)
    const { modified, ...found } = (await storage.stat('large')) ?? {}
    assert.deepEqual(found, { path: 'large', size: large.length })
    assert.ok(Math.abs(Date.now() - (modified ?? 0)) < 60_000)
  }),
  given('puts right bytes in the place of others, and of none', async (storage) => {
    await storage.write('bad', bytes('bed'))
    await storage.protect(['bad'])
    for (const path of ['bad', 'gone/too']) {
      await storage.restore(path, bytes('bad'))
      assert.equal(text(await storage.read(path)), 'bad')
    }
  }),
]

/** What is there can be read, and what is not is said to be missing. */
const reading = (given: Given): ContractCase[] => [
  given('says that an object is missing', async (storage) => {
    assert.equal(await storage.stat('nowhere/x'), undefined)
    assert.equal(await storage.readIfPresent('nowhere/x'), undefined)
    await assert.rejects(storage.read('nowhere/x'))
    await storage.write('somewhere/x', bytes('here'))
    assert.equal(text((await storage.readIfPresent('somewhere/x')) as Uint8Array), 'here')
  }),
  given('reads some bytes of an object, and says that a missing one has none', async (storage) => {
    await storage.write('some/x', bytes('one two three'))
    const some = async (from: number, n: number) => text(await storage.range('some/x', from, n))
    assert.equal(await some(4, 3), 'two')
    assert.equal(await some(0, 13), 'one two three')
    assert.equal(await some(8, 100), 'three')
    await assert.rejects(storage.range('some/y', 0, 1))
  }),
  given('tells the SHA-256 of what lies there', async (storage) => {
    const large = new Uint8Array(5_000_000).map((_, i) => i % 251)
    for (const content of [bytes('one'), new Uint8Array(), large]) {
      const path = `of/${content.length}`
      await storage.write(path, content)
      assert.equal(await storage.digest(path), sha256(content))
    }
    assert.equal(await storage.digest('of/nothing'), undefined)
  }),
  given('removes objects, and does not mind missing ones', async (storage) => {
    await storage.write('gone', bytes('x'))
    await storage.remove('gone')
    await storage.remove('gone')
    assert.equal(await storage.stat('gone'), undefined)
  }),
]

/** Objects are listed by prefix, by folder, and while others change. */
const listing = (given: Given): ContractCase[] => [
  given('lists by prefix, in the order of paths', async (storage) => {
    for (const path of ['b/2', 'b/10', 'a/1', 'b/c/3', 'bb/4'])
      await storage.write(path, bytes(path))
    const paths = async (prefix: string) => (await storage.list(prefix)).map((o) => o.path)
    assert.deepEqual(await paths('b/'), ['b/10', 'b/2', 'b/c/3'])
    assert.deepEqual(await paths('b/1'), ['b/10'])
    assert.deepEqual(await paths('none/'), [])
    assert.equal((await storage.list('')).length, 5)
  }),
  given('lists what is directly below a prefix, and nothing that lies deeper', async (storage) => {
    for (const path of ['in/2', 'in/10', 'in/deep/3', 'in/deep/er/4', 'into/5'])
      await storage.write(path, bytes(path))
    const found = await storage.entries('in/')
    assert.deepEqual(
      found.map(({ path, size }) => [path, size]),
      [
        ['in/10', 5],
        ['in/2', 4],
      ],
    )
    assert.deepEqual(await storage.entries('none/'), [])
  }),
  given('lists what stays while others remove what lies beside it', async (storage) => {
    const write = (path: string) => storage.write(path, bytes(path))
    for (let i = 0; i < 40; i++) await write(`stays/${i}/x`)
    for (let i = 0; i < 200; i++) await write(`goes/${i}/x`)
    const removing = Promise.all(
      Array.from({ length: 200 }, (_, i) => storage.remove(`goes/${i}/x`)),
    )
    for (let round = 0; round < 5; round++) {
      const paths = (await storage.list('')).map(({ path }) => path)
      assert.equal(paths.filter((path) => path.startsWith('stays/')).length, 40)
    }
    await removing
  }),
  given('names folders', async (storage) => {
    for (const path of ['r/2/a', 'r/10/a', 'r/10/b/c', 'r/file', 's/1/a'])
      await storage.write(path, bytes(path))
    assert.deepEqual(await storage.folders('r/'), ['10', '2'])
    assert.deepEqual(await storage.folders('none/'), [])
  }),
]

/** Any name is one, but none leads out. */
const names = (given: Given): ContractCase[] => [
  given('takes names with spaces, glob characters and letters of any script', async (storage) => {
    for (const path of ['day=5/a b.txt', 'x[1]/*?.txt', 'größe/日本.txt', 'per%20cent']) {
      await storage.write(path, bytes(path))
      assert.equal(text(await storage.read(path)), path)
    }
    assert.equal((await storage.list('')).length, 4)
  }),
  given('refuses paths that leave its root', async (storage) => {
    for (const path of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '.', 'a\\..\\b']) {
      await assert.rejects(async () => storage.write(path, bytes('x')))
      await assert.rejects(async () => storage.read(path))
    }
  }),
]

/** Credentials reach what they are for, or there are none. */
const credentials = (given: Given): ContractCase[] => [
  given('gives credentials that end, or none', async (storage) => {
    const found = await storage.vend?.([{ folder: 'a/b', may: 'read' }], 900)
    if (found === undefined) return
    assert.equal(found.url, storage.url)
    assert.ok(found.expires && found.expires.getTime() > Date.now())
    assert.ok(found.expires.getTime() < Date.now() + 1000 * 1000)
  }),
  given('gives no credentials for folders that they can’t be limited to', async (storage) => {
    for (const folder of ['', '..', 'a/../b', 'a//b', '/a', 'a/', 'a*', 'a?b', 'a${b}']) {
      const found = async () => storage.vend?.([{ folder, may: 'read' }], 900)
      assert.equal(await found().catch(() => undefined), undefined, folder)
    }
  }),
]

/**
 * What every storage promises. `make` gives an empty one for each case.
 *
 * @example
 * for (const { name, run } of storageContract(() => new MemoryStorage())) it(name, run)
 */
export function storageContract(make: () => Storage | Promise<Storage>): ContractCase[] {
  const given: Given = (name, run) => ({
    name,
    run: async () => run(await make()),
  })
  return [creating, reading, listing, names, credentials].flatMap((cases) => cases(given))
}
