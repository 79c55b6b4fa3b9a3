import { describe, expect, it, vi } from 'vitest'
import { parseJson, toJsonText } from '../../src/iceberg/json.js'
import { completed } from '../../src/iceberg/spec/updates/metadata-json.js'
import type { Commit } from '../../src/log/commit.js'
import { LEVEL } from '../../src/log/external.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import type { MemoryStorage } from '../../src/storage/memory.js'
import { amount } from '../support/effort.js'
import { explore, type World } from './explore.js'

/*
 * Every interleaving of clients of catalogs over a storage that loses requests and answers, and of
 * catalogs that die before or after any operation, that of writing a metadata file included: the
 * real handler, with nothing replaced but the storage, the clock and chance.
 */

const chance = vi.hoisted(() => ({ ids: 0 }))
const next = () => `00000000-0000-4000-8000-${String(++chance.ids).padStart(12, '0')}`
vi.mock('node:crypto', async (real) => ({ ...(await real<object>()), randomUUID: () => next() }))
vi.mock('node:timers/promises', async (real) => ({
  ...(await real<object>()),
  setTimeout: async () => {},
}))
vi.useFakeTimers({ toFake: ['Date'], now: 1_767_225_600_000 })

/** More faults in one history take minutes: for CI's full run. */
const deep = amount(0, 0, 1)
const most = amount(400, 6000, Infinity)
if (deep) vi.setConfig({ testTimeout: 3_600_000 })

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const set = (name: string, requirements: object[] = []) => ({
  requirements,
  updates: [{ action: 'set-properties', updates: { [name]: 'x' } }],
})

interface Request {
  path: string
  body: object
  /** Tells the request apart from others: who asks again has the answer of the first time. */
  key?: string
}

/** What a client was told in the end; `undefined` where its catalog has died. */
type Told = number | undefined

/** A catalog of its own, and a client that asks it. */
function client(storage: MemoryStorage) {
  const app = catalog(storage, { token: 'x' })
  return async ({ path, body, key }: Request): Promise<number> => {
    const headers = { authorization: 'Bearer x', ...(key ? { 'idempotency-key': key } : {}) }
    const text = toJsonText(body, 0)
    const { status } = await app.request(`/v1/${path}`, { method: 'POST', headers, body: text })
    return status
  }
}

/** A lake in which other engines keep the tables `a` and `b`. */
async function prepared(): Promise<ReadonlyMap<string, Uint8Array>> {
  chance.ids = 0
  const { MemoryStorage } = await import('../../src/storage/memory.js')
  const storage = new MemoryStorage()
  const ask = client(storage)
  expect(await ask({ path: 'namespaces', body: { namespace: ['ml'] } })).toBe(200)
  for (const name of ['a', 'b'])
    expect(await ask({ path: 'namespaces/ml/tables', body: { name, schema } })).toBe(200)
  return storage.objects
}

const lake = prepared()
/** Commits of the lake before anything is asked. */
const BEFORE = 3

/** What is committed, and what a commit made of each table. */
async function history({ storage }: World) {
  const log = new CommitLog(storage)
  const commits: Commit[] = []
  for await (const { commit } of log.entries()) commits.push(commit)
  return { commits: commits.slice(BEFORE), head: await log.head() }
}

async function metadataOf({ storage }: World, path: string) {
  const text = new TextDecoder().decode(await storage.read(path))
  return completed(parseJson(text) as never)
}

/** Whatever has happened: commits follow each other, and all that they show can be read. */
async function whole(world: World) {
  const { problems } = await verifyLake(world.storage, new CommitLog(world.storage))
  expect(problems).toEqual([])
  const found = await history(world)
  for (const { metadata } of Object.values(found.head.external?.relations ?? {}))
    await metadataOf(world, metadata)
  return found
}

/** Has each of the clients ask one after the other, and looks at each end. */
function trial(
  asked: readonly (readonly Request[])[],
  check: (world: World, told: readonly Told[][]) => Promise<void>,
) {
  let told: Told[][] = []
  return explore({
    writers: asked.length,
    faults: 1 + deep,
    most,
    start: async (world) => {
      chance.ids = 1000
      world.losesWrites = true
      for (const [path, bytes] of await lake) world.storage.objects.set(path, bytes)
      const mine: Told[][] = asked.map((requests) => requests.map(() => undefined))
      told = mine
      for (const [writer, requests] of asked.entries()) {
        const ask = client(world.storageOf(writer))
        world.runs(writer, async () => {
          for (const [i, request] of requests.entries())
            (mine[writer] as Told[])[i] = await ask(request)
        })
      }
    },
    check: (world) => check(world, told),
  })
}

/** How often something may be there, by what was told of it. */
function expectCount(told: Told, found: number): void {
  if (told === 200 || told === 204) expect([told, found]).toEqual([told, 1])
  else if (told !== undefined && told < 500) expect([told, found]).toEqual([told, 0])
  else expect(found).toBeLessThanOrEqual(1)
}

describe('whatever happens between clients, catalogs and storage', () => {
  it('what was answered is there exactly once, all else at most once, and nothing is lost', async () => {
    const found = await trial(
      [
        [
          { path: 'namespaces/ml/tables/a', body: set('p0') },
          { path: 'namespaces/ml/tables/a', body: set('p1') },
        ],
        [{ path: 'namespaces/ml/tables/a', body: set('p2') }],
      ],
      async (world, told) => {
        const { commits } = await whole(world)
        const seen: string[][] = []
        for (const { changes } of commits) {
          const { metadata = '' } = changes.external?.relations?.[`ml${LEVEL}a`] ?? {}
          seen.push(Object.keys((await metadataOf(world, metadata)).properties).sort())
        }
        // Each commit has what all before it had, and one more.
        for (const [i, names] of seen.entries()) {
          expect(names).toHaveLength(i + 1)
          expect(names).toEqual(expect.arrayContaining(seen[i - 1] ?? []))
        }
        const last = seen.at(-1) ?? []
        for (const [i, name] of [told[0]?.[0], told[0]?.[1], told[1]?.[0]].entries())
          expectCount(name, last.includes(`p${i}`) ? 1 : 0)
        if (world.dead.size === 0)
          for (const status of told.flat()) expect([200, 500, 503]).toContain(status)
      },
    )
    expect(found.ends).toBeGreaterThan(amount(10, 50))
  })

  it('a change of two tables is made of both or of none', async () => {
    const change = (name: string, requirements: object[] = []) => ({
      identifier: { namespace: ['ml'], name },
      ...set('both', requirements),
    })
    await trial(
      [
        [{ path: 'transactions/commit', body: { 'table-changes': [change('a'), change('b')] } }],
        [{ path: 'namespaces/ml/tables/b', body: set('one') }],
      ],
      async (world, told) => {
        const { head } = await whole(world)
        const has = async (table: string, name: string) => {
          const { metadata = '' } = head.external?.relations[`ml${LEVEL}${table}`] ?? {}
          return name in (await metadataOf(world, metadata)).properties ? 1 : 0
        }
        expect(await has('a', 'both')).toBe(await has('b', 'both'))
        expectCount(told[0]?.[0], await has('a', 'both'))
        expectCount(told[1]?.[0], await has('b', 'one'))
      },
    )
  })

  it('of those who create one name, one is told that it did; the others that it is there', async () => {
    await trial(
      [0, 1].map(() => [{ path: 'namespaces/ml/tables', body: { name: 'new', schema } }]),
      async (world, told) => {
        const { commits } = await whole(world)
        const all = told.flat()
        const won = all.filter((status) => status === 200).length
        expect(won).toBeLessThanOrEqual(1)
        expect(commits.length).toBeLessThanOrEqual(1)
        if (won === 1) expect(commits).toHaveLength(1)
        // Nobody is told that it is there while it is not.
        if (all.includes(409)) expect(commits).toHaveLength(1)
      },
    )
  })

  it('a table that is renamed while somebody writes to it has one name, and what was answered', async () => {
    const names = {
      source: { namespace: ['ml'], name: 'a' },
      destination: { namespace: ['ml'], name: 'c' },
    }
    await trial(
      [
        [{ path: 'tables/rename', body: names }],
        [{ path: 'namespaces/ml/tables/a', body: set('p') }],
      ],
      async (world, told) => {
        const { head } = await whole(world)
        const relations = head.external?.relations ?? {}
        const found = ['a', 'c'].flatMap((name) => relations[`ml${LEVEL}${name}`] ?? [])
        expect(found).toHaveLength(1)
        expectCount(told[0]?.[0], `ml${LEVEL}c` in relations ? 1 : 0)
        const { properties } = await metadataOf(world, found[0]?.metadata as string)
        expectCount(told[1]?.[0], 'p' in properties ? 1 : 0)
      },
    )
  })

  it('a client that asks again with its key, here or elsewhere, changes the lake once', async () => {
    const key = '01960000-0000-7000-8000-000000000001'
    const create = { path: 'namespaces/ml/tables', body: { name: 'new', schema }, key }
    await trial([[create, create], [create]], async (world, told) => {
      const { commits, head } = await whole(world)
      expect(commits.length).toBeLessThanOrEqual(1)
      expect(`ml${LEVEL}new` in (head.external?.relations ?? {})).toBe(commits.length === 1)
      for (const status of told.flat()) {
        // Nobody hears that it is there already: it is what they have asked for.
        expect(status ?? 500).not.toBe(409)
        if (status === 200) expect(commits).toHaveLength(1)
      }
    })
  })
})
