import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseJson, toJsonText } from '../../iceberg/json.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Snapshot } from '../../iceberg/spec/metadata.js'
import { Table } from '../../iceberg/table.js'
import { createBranch, deleteBranch } from '../../log/branch/named.js'
import { CommitLog } from '../../log/log.js'
import { verifyLake } from '../../log/verify/verify.js'
import { vacuum } from '../../maintain/vacuum.js'
import { LocalStorage } from '../../storage/local.js'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const info = { author: 'ada', run: null }
const file = (path: string, root = 'memory:///lake'): DataFile => ({
  path: `${root}/${path}`,
  rows: 1,
  bytes: 1,
  partition: [],
  columns: new Map(),
})

/** A lake in which another engine keeps a table, whose files it writes by itself. */
class Lake {
  private readonly app

  constructor(readonly storage = new MemoryStorage()) {
    this.app = catalog(storage, { token: 'x', isLocal: () => true })
  }

  async ask(method: string, path: string, body?: object, key?: string) {
    const known = key === undefined ? {} : { 'idempotency-key': key }
    const init = { method, headers: { authorization: 'Bearer x', ...known } }
    const text = body ? { body: toJsonText(body, 0) } : {}
    const answer = await this.app.request(`/v1/${path}`, { ...init, ...text })
    const said = await answer.text()
    return { status: answer.status, json: said ? (parseJson(said) as any) : undefined }
  }

  /** Files of a new table, which the catalog does not know yet: each version has one data file. */
  async written(folder: string, versions: readonly string[]): Promise<Table> {
    let table = Table.create(this.storage, folder).reshape({
      columns: [{ name: 'id', type: { kind: 'int' } }],
      partitions: [],
    })
    for (const name of versions) {
      const path = `${folder}/data/${name}.parquet`
      await this.storage.write(path, randomBytes(1))
      table = await table.write({ removed: 'all', added: [file(path)] })
    }
    return table
  }

  async register(name: string, table: Table) {
    await this.ask('POST', 'namespaces', { namespace: ['ml'] })
    return this.ask('POST', 'namespaces/ml/register', {
      name,
      'metadata-location': this.storage.locate(table.file as string),
    })
  }

  /** All that was written so far is older than the grace. */
  vacuum(history?: number) {
    const later = new Date(Date.now() + 10 * 86_400_000)
    return vacuum(new CommitLog(this.storage), this.storage, {
      grace: 86_400_000,
      ...(history === undefined ? {} : { history }),
      remove: true,
      info,
      now: () => later,
    })
  }

  /** What an engine asks for that has written one more file to a table. */
  async commitOf(table: Table, name: string) {
    const path = `external/ml/t/data/${name}.parquet`
    await this.storage.write(path, randomBytes(1))
    const next = await table.write({ removed: new Set(), added: [file(path)] })
    const { metadata } = await Table.load(this.storage, next.file as string)
    const snapshot = metadata.snapshots.at(-1) as Snapshot
    const id = snapshot['snapshot-id']
    return {
      requirements: [
        {
          type: 'assert-ref-snapshot-id',
          ref: 'main',
          'snapshot-id': table.metadata['current-snapshot-id'],
        },
      ],
      updates: [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ],
    }
  }

  data(): string[] {
    return [...this.storage.objects.keys()].filter((path) => path.endsWith('.parquet')).sort()
  }
}

/** Does one thing after the other, each just before a commit to branch `dev` is made. */
function actBefore({ storage }: Lake, acts: (() => Promise<void>)[]): void {
  const create = storage.createIfAbsent.bind(storage)
  let isActing = false
  storage.createIfAbsent = async (path, bytes) => {
    if (!isActing && path.startsWith('_moraine/log/dev.')) {
      isActing = true
      await acts.shift()?.()
      isActing = false
    }
    return create(path, bytes)
  }
}

describe('vacuum', () => {
  it('keeps what branches alone lead to, until they are deleted', async () => {
    const lake = new Lake()
    const main = new CommitLog(lake.storage)
    const table = await lake.written('external/ml/t', ['a'])
    await lake.ask('POST', 'namespaces', { namespace: ['ml'] })
    const author = { author: 'ada', run: null }
    await createBranch(main, 'dev', await main.head(), author)
    const at = lake.storage.locate(table.file as string)
    const named = { name: 't', 'metadata-location': at }
    expect((await lake.ask('POST', 'dev/namespaces/ml/register', named)).status).toBe(200)
    await lake.vacuum()
    expect(await lake.storage.stat('external/ml/t/data/a.parquet')).toBeDefined()
    await deleteBranch(main, 'dev', author)
    await lake.vacuum()
    expect(await lake.storage.stat('external/ml/t/data/a.parquet')).toBeUndefined()
    expect((await verifyLake(lake.storage, main)).problems).toEqual([])
  })

  it('keeps the files of all snapshots of a table of another engine, and removes all others', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a', 'b', 'c'])
    expect((await lake.register('t', table)).status).toBe(200)
    await lake.storage.write('external/ml/t/data/orphan.parquet', randomBytes(1))
    await lake.storage.write('external/ml/t/metadata/stats.puffin', randomBytes(1))
    const id = table.metadata.snapshots[1]?.['snapshot-id']
    const path = 'memory:///lake/external/ml/t/metadata/stats.puffin'
    await lake.ask('POST', 'namespaces/ml/tables/t', {
      updates: [
        {
          action: 'set-statistics',
          statistics: {
            'snapshot-id': id,
            'statistics-path': path,
            'file-size-in-bytes': 1,
            'file-footer-size-in-bytes': 1,
            'blob-metadata': [],
          },
        },
      ],
    })
    await lake.vacuum()
    expect(lake.data()).toEqual(['a', 'b', 'c'].map((name) => `external/ml/t/data/${name}.parquet`))
    expect(lake.storage.objects.has('external/ml/t/metadata/stats.puffin')).toBe(true)
  })

  it.each([
    ['file:/', 'file:', true],
    ['/', '', true],
    ['/, but only those of data', '', false],
    ['//, but only those of data', 'file:///', false],
    ['/./, but only those of data', 'file:///.', false],
  ])(
    'keeps files of a folder whose paths another engine begins with %s',
    async (_, scheme, isAll) => {
      const folder = await mkdtemp(join(tmpdir(), 'moraine-vacuum-'))
      onTestFinished(() => rm(folder, { recursive: true }))
      const storage = new LocalStorage(folder)
      const named = (location: string) => location.replace('file://', scheme)
      const app = catalog(storage, { token: 'x', isLocal: () => true })
      const ask = (path: string, body: object) =>
        app.request(`/v1/${path}`, {
          method: 'POST',
          headers: { authorization: 'Bearer x' },
          body: toJsonText(body, 0),
        })
      const data = 'external/ml/t/data/a.parquet'
      await storage.write(data, randomBytes(1))
      const { metadata } = await Table.create(storage, 'external/ml/t')
        .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
        .write({ removed: new Set(), added: [file(data, named(storage.url))] })
      const [snapshot] = metadata.snapshots
      const list = String(snapshot?.['manifest-list'])
      const path = 'external/ml/t/metadata/1.metadata.json'
      const other = {
        ...metadata,
        location: isAll ? named(metadata.location) : metadata.location,
        snapshots: [{ ...snapshot, 'manifest-list': isAll ? named(list) : list }],
      }
      await storage.write(path, new TextEncoder().encode(toJsonText(other)))
      await ask('namespaces', { namespace: ['ml'] })
      const registered = { name: 't', 'metadata-location': storage.locate(path) }
      expect((await ask('namespaces/ml/register', registered)).status).toBe(200)
      await storage.write('external/ml/t/data/orphan.parquet', randomBytes(1))
      const later = new Date(Date.now() + 10 * 86_400_000)
      await vacuum(new CommitLog(storage), storage, {
        grace: 86_400_000,
        remove: true,
        info,
        now: () => later,
      })
      expect(await readdir(join(folder, 'external/ml/t/data'))).toEqual(['a.parquet'])
    },
  )

  it('removes what another engine has let go, once no commit that can be seen needs it', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a', 'b', 'c'])
    await lake.register('t', table)
    const [first] = table.metadata.snapshots
    const expired = await lake.ask('POST', 'namespaces/ml/tables/t', {
      updates: [{ action: 'remove-snapshots', 'snapshot-ids': [first?.['snapshot-id']] }],
    })
    expect(expired.status).toBe(200)
    await lake.vacuum()
    expect(lake.data()).toHaveLength(3)
    await lake.vacuum(0)
    expect(lake.data()).toEqual(['b', 'c'].map((name) => `external/ml/t/data/${name}.parquet`))
    await lake.ask('DELETE', 'namespaces/ml/tables/t?purgeRequested=true')
    await lake.vacuum()
    expect(lake.data()).toHaveLength(2)
    await lake.vacuum(0)
    expect(lake.data()).toEqual([])
  })

  it('goes on where an engine has removed the files of snapshots that it has let go', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['one', 'two'])
    await lake.register('t', table)
    const [old, current] = table.metadata.snapshots as [Snapshot, Snapshot]
    const expire = [{ action: 'remove-snapshots', 'snapshot-ids': [old['snapshot-id']] }]
    await lake.ask('POST', 'namespaces/ml/tables/t', { updates: expire })
    const listOf = (snapshot: Snapshot) => snapshot['manifest-list'].slice('memory:///lake/'.length)
    for (const path of [listOf(old), 'external/ml/t/data/one.parquet'])
      await lake.storage.remove(path)
    await lake.storage.write('external/ml/t/data/left.parquet', randomBytes(1))
    await lake.vacuum()
    expect(lake.data()).toEqual(['external/ml/t/data/two.parquet'])
    // What it has not let go is another matter.
    await lake.storage.remove(listOf(current))
    await lake.storage.write('external/ml/t/data/left.parquet', randomBytes(1))
    await expect(lake.vacuum()).rejects.toThrow('is missing')
    expect(lake.data()).toHaveLength(2)
  })

  it('is not led to remove files of others by a table that names their manifests as its data', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a', 'b'])
    const [list] = table.metadata.snapshots.map((one) => one['manifest-list'])
    const manifests = [...lake.storage.objects.keys()].filter((path) => path.endsWith('-m0.avro'))
    const evil = await Table.create(lake.storage, 'external/ml/evil')
      .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
      .write({
        removed: new Set(),
        added: [...manifests, String(list).slice('memory:///lake/'.length)].map((path) =>
          file(path),
        ),
      })
    await lake.register('evil', evil)
    await lake.register('t', table)
    await lake.vacuum()
    expect(lake.data()).toHaveLength(2)
  })

  it('removes nothing where it can’t tell what a table of another engine uses', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a', 'b'])
    await lake.register('t', table)
    const [first] = table.metadata.snapshots
    const list = String(first?.['manifest-list']).slice('memory:///lake/'.length)
    lake.storage.objects.set(list, new TextEncoder().encode('Obj\u0001 damaged'))
    await lake.storage.write('external/ml/t/data/orphan.parquet', randomBytes(1))
    await expect(lake.vacuum()).rejects.toMatchObject({ kind: 'corrupt' })
    expect(lake.data()).toHaveLength(3)
  })

  it('is seen by an engine that took longer than the grace: its commit is refused', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a'])
    await lake.register('t', table)
    // The engine has written its files, and stands still.
    const commit = await lake.commitOf(table, 'late')
    // A vacuum says what it may remove; it need not have removed it yet.
    const log = new CommitLog(lake.storage)
    const vacuumed = new Date(Date.now() + 86_400_000).toISOString()
    await log.commit(await log.head(), { vacuumed }, { ...info, message: 'vacuum' })
    const refused = await lake.ask('POST', 'namespaces/ml/tables/t', commit)
    expect(refused.json.error).toMatchObject({
      code: 409,
      type: 'CommitFailedException',
      message: expect.stringContaining('Vacuum has removed files'),
    })
    await lake.vacuum()
    expect((await lake.ask('POST', 'namespaces/ml/tables/t', commit)).status).toBe(409)
    expect(lake.data()).toEqual(['external/ml/t/data/a.parquet'])
    // Files that were written since are as good as ever; so is a change without any.
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 86_400_000 })
    const fresh = await lake.commitOf(table, 'fresh')
    expect((await lake.ask('POST', 'namespaces/ml/tables/t', fresh)).status).toBe(200)
    await lake.vacuum()
    expect(lake.data()).toEqual(['a', 'fresh'].map((name) => `external/ml/t/data/${name}.parquet`))
  })

  it('is seen where a table is registered over with a snapshot of the same id and other files', async () => {
    const lake = new Lake()
    const table = await lake.written('external/ml/t', ['a'])
    await lake.register('t', table)
    const log = new CommitLog(lake.storage)
    const vacuumed = new Date(Date.now() + 86_400_000).toISOString()
    await log.commit(await log.head(), { vacuumed }, { ...info, message: 'vacuum' })
    // The file of the metadata is newer than that; what they name is gone all the same.
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 86_400_000 })
    const bytes = await lake.storage.read(table.file as string)
    const metadata = parseJson(new TextDecoder().decode(bytes)) as any
    metadata.snapshots[0]['manifest-list'] = lake.storage.locate('external/ml/t/metadata/gone.avro')
    const path = 'external/ml/t/metadata/again.metadata.json'
    await lake.storage.write(path, new TextEncoder().encode(toJsonText(metadata)))
    const again = await lake.ask('POST', 'namespaces/ml/register', {
      name: 't',
      'metadata-location': lake.storage.locate(path),
      overwrite: true,
    })
    expect([again.status, again.json.error.message]).toEqual([
      409,
      expect.stringContaining('Vacuum has removed files'),
    ])
  })

  it('does not make commits to a table with many snapshots read each manifest for each of them', async () => {
    const lake = new Lake()
    const folder = 'external/ml/t'
    const MANY = 40
    let table = await lake.written(folder, [])
    const added = async (...names: string[]) => {
      const files = names.map((name) => `${folder}/data/${name}.parquet`)
      for (const path of files) await lake.storage.write(path, randomBytes(1))
      table = await table.write({ removed: new Set(), added: files.map((path) => file(path)) })
    }
    await added('a', 'b')
    for (let n = 1; n < MANY; n++) await added(`c${n}`)
    expect((await lake.register('t', table)).status).toBe(200)
    const log = new CommitLog(lake.storage)
    const vacuumed = new Date(Date.now() + 86_400_000).toISOString()
    await log.commit(await log.head(), { vacuumed }, { ...info, message: 'vacuum' })
    let reads = 0
    const read = lake.storage.read.bind(lake.storage)
    lake.storage.read = async (...of) => {
      if (String(of[0]).endsWith('.avro')) reads++
      return read(...of)
    }
    // Its lists and manifests, each once; and the new ones.
    const most = 2 * MANY + 10
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 86_400_000 })
    // It removes one of two files: the manifest that it writes names the other, which is old.
    const removed = new Set([`memory:///lake/${folder}/data/a.parquet`])
    const next = await table.write({ removed, added: [] })
    const snapshot = (await Table.load(lake.storage, next.file as string)).metadata.snapshots.at(-1)
    const id = snapshot?.['snapshot-id']
    reads = 0
    const done = await lake.ask('POST', 'namespaces/ml/tables/t', {
      updates: [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ],
    })
    expect([done.status, reads < most]).toEqual([200, true])
    // All of it is old: whoever registers it has to write it again.
    reads = 0
    const path = 'external/ml/t/metadata/again.metadata.json'
    await lake.storage.write(path, await read(table.file as string))
    const location = lake.storage.locate(path)
    const again = { name: 'again', 'metadata-location': location }
    expect((await lake.ask('POST', 'namespaces/ml/register', again)).status).toBe(409)
    expect(reads).toBeGreaterThanOrEqual(MANY)
    expect(reads).toBeLessThan(most)
  })

  it('keeps what a commit to a branch leads to, which is made while it looks', async () => {
    const lake = new Lake()
    const main = new CommitLog(lake.storage)
    const table = await lake.written('external/ml/t', ['a'])
    await lake.register('t', table)
    await lake.register('u', await lake.written('external/ml/u', ['b']))
    const dev = await createBranch(main, 'dev', await main.head(), info)
    const commit = await lake.commitOf(table, 'late')
    await lake.storage.write('external/ml/t/data/orphan.parquet', randomBytes(1))
    // Another engine changes another table first; then a vacuum comes, just before the commit is
    // made, which has been announced by then.
    const acts = [
      async () => {
        const seen = { updates: [{ action: 'set-properties', updates: { seen: 'yes' } }] }
        const other = new Lake(lake.storage)
        const { status } = await other.ask('POST', 'dev/namespaces/ml/tables/u', seen)
        expect(status).toBe(200)
      },
      async () => void (await lake.vacuum()),
    ]
    actBefore(lake, acts)
    const done = await lake.ask('POST', 'dev/namespaces/ml/tables/t', commit, 'a-key')
    expect([acts, done.status]).toEqual([[], 200])
    expect(lake.data().map((path) => path.replace(/^.*\//, ''))).toEqual([
      'a.parquet',
      'late.parquet',
      'b.parquet',
    ])
    const messages = (await dev.latest(2)).map(({ message }) => message)
    expect(messages).toEqual(['commit to ml.t', 'commit to ml.u'])
    expect(await lake.storage.list('_moraine/coming/')).toEqual([])
    expect((await verifyLake(lake.storage, main)).problems).toEqual([])
  })

  it('leaves a branch whole whose writer dies as it commits, and forgets the commit later', async () => {
    for (const isMade of [true, false]) {
      const lake = new Lake()
      const main = new CommitLog(lake.storage)
      const table = await lake.written('external/ml/t', ['a'])
      await lake.register('t', table)
      await createBranch(main, 'dev', await main.head(), info)
      const commit = await lake.commitOf(table, 'late')
      // It gets no further than to its commit, before or behind it; a vacuum comes between.
      const alive = Object.create(lake.storage) as MemoryStorage
      const dying = new Lake(alive)
      let isDead = false
      for (const does of ['read', 'readIfPresent', 'write', 'remove', 'stat', 'list'] as const) {
        const act = lake.storage[does].bind(lake.storage) as (...of: unknown[]) => Promise<never>
        Object.assign(alive, {
          [does]: (...of: unknown[]) => (isDead ? Promise.reject(new Error('dead')) : act(...of)),
        })
      }
      const create = lake.storage.createIfAbsent.bind(lake.storage)
      alive.createIfAbsent = async (path, bytes) => {
        if (!path.startsWith('_moraine/log/dev.')) return create(path, bytes)
        await lake.vacuum()
        if (isMade) await create(path, bytes)
        isDead = true
        throw new Error('dead')
      }
      await dying.ask('POST', 'dev/namespaces/ml/tables/t', commit)
      expect([isMade, isDead]).toEqual([isMade, true])
      expect(await lake.storage.list('_moraine/coming/')).toHaveLength(1)
      const rows = async () => {
        const { json } = await lake.ask('GET', 'dev/namespaces/ml/tables/t')
        return json.metadata.snapshots.length
      }
      const there = isMade ? ['a.parquet', 'late.parquet'] : ['a.parquet']
      const data = () => lake.data().map((path) => path.replace(/^.*\//, ''))
      expect([isMade, await rows()]).toEqual([isMade, there.length])
      expect(data()).toEqual(['a.parquet', 'late.parquet'])
      // Whoever commits next takes the number that it would have had; what is written from now on
      // is younger than what the vacuum removed.
      onTestFinished(() => void vi.useRealTimers())
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 86_400_000 })
      const seen = { updates: [{ action: 'set-properties', updates: { seen: 'yes' } }] }
      expect((await lake.ask('POST', 'dev/namespaces/ml/tables/t', seen)).status).toBe(200)
      await lake.vacuum()
      await lake.vacuum()
      expect([isMade, data()]).toEqual([isMade, there])
      expect(await lake.storage.list('_moraine/coming/')).toEqual([])
      expect((await verifyLake(lake.storage, main)).problems).toEqual([])
      vi.useRealTimers()
    }
  })
})
