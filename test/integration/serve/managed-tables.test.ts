import { randomUUID } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { pathsOf } from '../../../src/iceberg/deletes.js'
import { parseJson, toJsonText } from '../../../src/iceberg/json.js'
import type { DataFile } from '../../../src/iceberg/spec/manifest.js'
import { currentSpec, type Snapshot } from '../../../src/iceberg/spec/metadata.js'
import { naming } from '../../../src/iceberg/spec/updates/own-updates.js'
import { Table } from '../../../src/iceberg/table.js'
import type { Entry } from '../../../src/log/entry.js'
import { CommitLog } from '../../../src/log/log.js'
import { optimizeTable } from '../../../src/maintain/optimize.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { tableFiles } from '../../../src/step/table-files.js'
import { LocalStorage } from '../../../src/storage/local.js'
import type { Storage } from '../../../src/storage/storage.js'
import { Project } from '../../support/project.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int(), amount: t.int() }) })
const totals = gold('totals', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
export default defineLake({ name: 'tagged', datasets: [totals] })
`

/** A lake, and an engine that asks its catalog. */
async function lake() {
  const project = await Project.create({
    'lake.ts': definition,
    'in/1.csv': 'id,amount\n1,10\n2,20\n',
  })
  expect((await project.run()).outcome).toBe('done')
  return { project, ask: asking(project.storage) }
}

function asking(storage: Storage) {
  const app = catalog(storage, { token: 'x', isLocal: () => true })
  return async (method: string, path: string, body?: object) => {
    const answer = await app.request(`/v1/${path}`, {
      method,
      headers: { authorization: 'Bearer x' },
      ...(body ? { body: toJsonText(body, 0) } : {}),
    })
    const text = await answer.text()
    return { status: answer.status, json: (text ? parseJson(text) : undefined) as any }
  }
}

const ORDERS = 'namespaces/silver/tables/orders'

async function current(ask: ReturnType<typeof asking>): Promise<number> {
  return (await ask('GET', ORDERS)).json.metadata['current-snapshot-id']
}

const tag = (name: string, id: number) => ({
  updates: [{ action: 'set-snapshot-ref', 'ref-name': name, type: 'tag', 'snapshot-id': id }],
})

/** The files of a snapshot that a tag names, which all must be there. */
async function taggedRows(project: Project, name: string): Promise<number> {
  const { storage } = project
  const { tables } = await project.state()
  const table = await Table.load(storage, tables['silver.orders']?.metadata as string)
  const id = table.metadata.refs[name]?.['snapshot-id'] as number
  const then = table.updated([naming('main', { type: 'branch', 'snapshot-id': id })])
  const files = await then.plan()
  for (const { file } of files) expect(await storage.stat(then.pathOf(file.path))).toBeDefined()
  return files.reduce((sum, { file }) => sum + file.rows, 0)
}

/** Makes all files of the lake older than the grace of a vacuum. */
async function age(project: Project): Promise<void> {
  const root = join(project.folder, 'lake')
  const old = new Date(Date.now() - 30 * 86_400_000)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old)
}

/** A storage in which something happens just before a commit is made. */
class Beside extends LocalStorage {
  constructor(
    root: string,
    private readonly message: string,
    private act: (() => Promise<unknown>) | undefined,
  ) {
    super(root)
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const isIt = path.startsWith('_moraine/log/') && Buffer.from(bytes).includes(this.message)
    const act = isIt ? this.act : undefined
    if (act) this.act = undefined
    await act?.()
    return super.createIfAbsent(path, bytes)
  }
}

describe('a tag of a table that lake.ts defines', () => {
  it('is set and removed by one commit each; nothing is built again', async () => {
    const { project, ask } = await lake()
    const id = await current(ask)
    const before = await project.state()
    const { status, json } = await ask('POST', ORDERS, tag('audit', id))
    expect([status, json.metadata.refs.audit]).toEqual([200, { 'snapshot-id': id, type: 'tag' }])
    const after = await project.state()
    const [was, is] = [before.tables['silver.orders'], after.tables['silver.orders']]
    expect(is).toEqual({
      ...was,
      metadata: is?.metadata,
      sha256: is?.sha256,
      sameRowsAs: [was?.metadata],
    })
    const log = new CommitLog(project.storage)
    expect((await log.entry(after.number))?.commit).toMatchObject({
      author: 'token',
      message: 'tag audit of silver.orders',
    })
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    const refs = await ask('GET', `${ORDERS}?snapshots=refs`)
    expect(refs.json.metadata.snapshots).toHaveLength(1)
    // Asked for once more, it is so already.
    expect((await ask('POST', ORDERS, tag('audit', id))).status).toBe(200)
    expect((await project.state()).number).toBe(after.number)
    const removal = { updates: [{ action: 'remove-snapshot-ref', 'ref-name': 'audit' }] }
    expect(Object.keys((await ask('POST', ORDERS, removal)).json.metadata.refs)).toEqual(['main'])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('keeps its rows readable over later runs and a vacuum, until it is removed', async () => {
    const { project, ask } = await lake()
    await ask('POST', ORDERS, tag('first', await current(ask)))
    await project.write({ 'in/2.csv': 'id,amount\n1,11\n3,30\n' })
    expect((await project.run()).outcome).toBe('done')
    await project.write({ 'in/3.csv': 'id,amount\n2,22\n4,40\n' })
    expect((await project.run()).outcome).toBe('done')
    const middle = (await ask('GET', ORDERS)).json.metadata.snapshots[1]['snapshot-id']
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect(await taggedRows(project, 'first')).toBe(2)
    expect(await project.query('select * from gold.totals')).toEqual([{ n: 4n, amount: '103' }])
    // What nothing names is forgotten together with its files.
    const { metadata } = (await ask('GET', ORDERS)).json
    expect(metadata.snapshots).toHaveLength(2)
    expect(await ask('POST', ORDERS, tag('late', middle))).toMatchObject({ status: 400 })
    // A vacuum that has nothing to forget commits nothing.
    const { number } = await project.state()
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect((await project.state()).tables).toEqual((await project.state(number)).tables)
    expect((await project.cli('verify', '--deep')).stdout).not.toContain('missing')
    await ask('POST', ORDERS, { updates: [{ action: 'remove-snapshot-ref', 'ref-name': 'first' }] })
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect((await ask('GET', ORDERS)).json.metadata.snapshots).toHaveLength(1)
  })

  it('may name an earlier snapshot, whatever a vacuum has removed that nothing needs', async () => {
    const { project, ask } = await lake()
    const first = await current(ask)
    await project.write({
      'in/2.csv': 'id,amount\n1,11\n3,30\n',
      'lake/silver/orders/data/left': '',
    })
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    await age(project)
    const forgetting = ['--history', '365d', '--grace', '0s', '--delete']
    expect((await project.cli('vacuum', ...forgetting)).code).toBe(0)
    expect(await project.storage.stat('silver/orders/data/left')).toBeUndefined()
    expect(await ask('POST', ORDERS, tag('first', first))).toMatchObject({ status: 200 })
    expect(await taggedRows(project, 'first')).toBe(2)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('has files that verify looks at: repair says that only the tag leads to them', async () => {
    const { project, ask } = await lake()
    await ask('POST', ORDERS, tag('first', await current(ask)))
    const { tables } = await project.state()
    const table = await Table.load(project.storage, tables['silver.orders']?.metadata as string)
    const [file] = await table.scan()
    await project.write({ 'in/2.csv': 'id,amount\n1,11\n2,30\n' })
    expect((await project.run({ full: true })).outcome).toBe('done')
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    await project.storage.remove(table.pathOf(file?.path as string))
    const found = await project.cli('verify')
    expect(found.code).toBe(1)
    expect(found.stdout + found.stderr).toContain('silver.orders (tag first): silver/orders/data/')
    const repaired = await project.cli('repair')
    expect(repaired.stdout + repaired.stderr).toContain(
      'only the tag first of silver.orders refers to it',
    )
  })

  it('stays where the metadata are damaged later, and the table is repaired', async () => {
    const { project, ask } = await lake()
    const first = await current(ask)
    expect((await ask('POST', ORDERS, tag('first', first))).status).toBe(200)
    const before = (await ask('GET', ORDERS)).json.metadata
    await project.write({ 'in/2.csv': 'id,amount\n1,11\n3,30\n' })
    expect((await project.run()).outcome).toBe('done')
    const path = (await project.state()).tables['silver.orders']?.metadata as string
    await project.storage.restore(path, new TextEncoder().encode('{ "half": '))
    const repaired = await project.cli('repair', '--yes')
    expect(repaired.stdout + repaired.stderr).toContain('silver.orders is rebuilt from its inputs')
    const { metadata } = (await ask('GET', ORDERS)).json
    expect(metadata['table-uuid']).toBe(before['table-uuid'])
    expect(metadata.refs.first).toEqual({ 'snapshot-id': first, type: 'tag' })
    expect(await project.query('select * from gold.totals')).toEqual([{ n: 3n, amount: '61' }])
    expect((await project.cli('verify', '--deep', '--head')).code).toBe(0)
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
  })

  it('that is set while a run is at work stays, and the run goes on', async () => {
    const { project, ask } = await lake()
    const first = await current(ask)
    await project.write({ 'in/2.csv': 'id,amount\n1,11\n3,30\n' })
    const storage = new Beside(join(project.folder, 'lake'), 'build 2 tables', async () => {
      expect((await ask('POST', ORDERS, tag('beside', first))).status).toBe(200)
    })
    const record = await project.runOn(storage)
    expect([record.outcome, record.error]).toEqual(['done', undefined])
    const { metadata } = (await ask('GET', ORDERS)).json
    expect(metadata.refs.beside).toEqual({ 'snapshot-id': first, type: 'tag' })
    expect(metadata.snapshots).toHaveLength(2)
    expect(await project.query('select * from gold.totals')).toEqual([{ n: 3n, amount: '61' }])
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('stays beside a vacuum that forgets old snapshots, and an optimize', async () => {
    const { project, ask } = await lake()
    const first = await current(ask)
    await project.write({ 'in/2.csv': 'id,amount\n1,11\n3,30\n' })
    expect((await project.run()).outcome).toBe('done')
    const root = join(project.folder, 'lake')
    const info = { author: 'ada', run: null }
    const engine = await DuckDB.start({ threads: 2 })
    try {
      const beside = new Beside(root, 'optimize silver.orders', () =>
        ask('POST', ORDERS, tag('one', first)),
      )
      const session = await engine.open()
      const options = { info, orderBy: ['amount'] }
      await optimizeTable(new CommitLog(beside), beside, session, 'silver.orders', options)
    } finally {
      await engine.close()
    }
    const beside = new Beside(root, 'expire commits', () => ask('POST', ORDERS, tag('two', first)))
    await vacuum(new CommitLog(beside), beside, { grace: 0, history: 0, remove: true, info })
    const { refs, snapshots } = (await ask('GET', ORDERS)).json.metadata
    expect(Object.keys(refs).sort()).toEqual(['main', 'one', 'two'])
    expect(snapshots).toHaveLength(2)
    expect(await taggedRows(project, 'two')).toBe(2)
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
  })
})

/** Files of a table as another engine rewrites them: it knows nothing of checksums. */
interface Rewriting {
  /** SQL over the rows that are written again; all of them without it. */
  rows?: (from: string) => string
  /** Where the new files go: `data` of the table. */
  into?: string
  /** Changes how the new files are listed. */
  listed?: (file: DataFile) => DataFile
  /** Adds the new files, and leaves the old ones. */
  keepsOld?: boolean
}

/** The snapshot of an engine that has rewritten all files of silver.orders, without a commit. */
async function rewritten(project: Project, how: Rewriting = {}): Promise<Snapshot> {
  const {
    rows = (from: string) => from,
    into = 'silver/orders/data',
    listed = (file) => file,
  } = how
  const { storage } = project
  const { tables } = await project.state()
  const table = await Table.load(storage, tables['silver.orders']?.metadata as string)
  const tasks = await table.plan()
  const engine = await DuckDB.start({ threads: 2 })
  try {
    const session = await engine.open()
    const from = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
    await storage.prepare(`${into}/x`)
    const added = await session.tables.write(rows(`SELECT * FROM (${from})`), {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: storage.locate(into),
      name: `spark-${randomUUID()}`,
      compression: 'zstd',
    })
    const next = await table.write({
      removed: how.keepsOld ? new Set() : pathsOf(tasks),
      added: added.map(listed),
      sameRows: true,
      summary: { 'engine-name': 'spark', 'total-records': '77' },
    })
    return next.snapshot as Snapshot
  } finally {
    await engine.close()
  }
}

const adding = (snapshot: Snapshot, more: readonly object[] = []) => ({
  updates: [
    { action: 'add-snapshot', snapshot },
    {
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': snapshot['snapshot-id'],
    },
    ...more,
  ],
})

async function lakeOfParts() {
  const { project, ask } = await lake()
  for (const [i, rows] of ['3,30\n', '4,40\n', '1,11\n'].entries()) {
    await project.write({ [`in/${i + 2}.csv`]: `id,amount\n${rows}` })
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
  }
  return { project, ask }
}

const sums = (project: Project) => project.query('select * from gold.totals')
const orders = (project: Project) =>
  project.query('select id, amount from silver.orders order by id')

describe('a compaction of another engine', () => {
  it('is recorded with its author and engine; the rows stay, and nothing is built again', async () => {
    const { project, ask } = await lakeOfParts()
    const before = await project.state()
    const rows = await orders(project)
    const { status, json } = await ask('POST', ORDERS, adding(await rewritten(project)))
    expect([status, json.error]).toEqual([200, undefined])
    const { metadata } = json
    expect(metadata.properties['gc.enabled']).toBe('false')
    // What the summary said is replaced by what is so.
    const [was, is] = [before, await project.state()].map((of) => of.tables['silver.orders'])
    expect(metadata.snapshots.at(-1).summary).toMatchObject({
      'total-records': '4',
      'total-data-files': '1',
      'total-files-size': String(is?.bytes),
      'moraine.manifest-list-sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(is).toEqual({
      ...was,
      files: 1,
      bytes: is?.bytes,
      metadata: is?.metadata,
      sha256: is?.sha256,
      sameRowsAs: [was?.metadata, ...(was?.sameRowsAs ?? [])],
    })
    const { commit } = (await new CommitLog(project.storage).entry(before.number + 1)) as Entry
    expect(commit).toMatchObject({
      author: 'token',
      message: `rewrite ${was?.files} files of silver.orders as 1 (spark)`,
    })
    expect(await orders(project)).toEqual(rows)
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // Later runs go on from these files: they change rows of them.
    await project.write({ 'in/9.csv': 'id,amount\n2,22\n5,50\n' })
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 5n, amount: '153' }])
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect((await project.cli('optimize', 'silver.orders')).code).toBe(0)
    expect(await sums(project)).toEqual([{ n: 5n, amount: '153' }])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('does not say which snapshots of before the next run keeps', async () => {
    const { project, ask } = await lakeOfParts()
    const ids = async () =>
      (await ask('GET', ORDERS)).json.metadata.snapshots.map((one: Snapshot) =>
        String(one['snapshot-id']),
      )
    const before = await ids()
    const snapshot = await rewritten(project)
    const { updates } = adding(snapshot)
    for (const retention of [
      { 'min-snapshots-to-keep': 1, 'max-snapshot-age-ms': 1 },
      { 'max-ref-age-ms': 1 },
    ]) {
      const sent = updates.map((one, i) => (i === 1 ? { ...one, ...retention } : one))
      const { status, json } = await ask('POST', ORDERS, { updates: sent })
      expect(status).toBe(400)
      expect(json.error.message).toContain('Cannot set which snapshots of silver.orders are kept')
      expect(json.error.message).toContain('run instead: moraine vacuum --history')
    }
    // What some clients say for none is none.
    const none = { 'min-snapshots-to-keep': null, 'max-snapshot-age-ms': null }
    const sent = updates.map((one, i) => (i === 1 ? { ...one, ...none } : one))
    expect((await ask('POST', ORDERS, { updates: sent })).status).toBe(200)
    await project.write({ 'in/9.csv': 'id,amount\n2,22\n' })
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    expect(await ids()).toEqual(expect.arrayContaining(before))
  })

  it('may leave lists of deleted rows behind whose files it has rewritten', async () => {
    const { project, ask } = await lake()
    const many = Array.from({ length: 40 }, (_, i) => `${i + 10},1`).join('\n')
    for (const [i, rows] of [many, '10,2\n'].entries()) {
      await project.write({ [`in/${i + 2}.csv`]: `id,amount\n${rows}` })
      expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    }
    const { tables } = await project.state()
    const table = await Table.load(project.storage, tables['silver.orders']?.metadata as string)
    const lists = (await table.plan()).flatMap(({ deletes }) => deletes)
    expect(lists).toHaveLength(1)
    const snapshot = await rewritten(project)
    // As Spark does it: the data files go, their deletes stay.
    const kept = await table.write({
      removed: new Set((await table.scan()).map(({ path }) => path)),
      added: await table
        .withMetadata({
          ...table.metadata,
          snapshots: [snapshot],
          'current-snapshot-id': snapshot['snapshot-id'],
        })
        .scan(),
      sameRows: true,
    })
    expect((await ask('POST', ORDERS, adding(kept.snapshot as Snapshot))).json.error).toBe(
      undefined,
    )
    expect(await orders(project)).toHaveLength(42)
    await project.write({ 'in/9.csv': 'id,amount\n2,22\n5,50\n' })
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 43n, amount: '123' }])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('makes a run that has planned against the old files start again, and breaks nothing', async () => {
    const { project, ask } = await lakeOfParts()
    await project.write({ 'in/9.csv': 'id,amount\n2,22\n5,50\n' })
    const storage = new Beside(join(project.folder, 'lake'), 'build 2 tables', async () => {
      expect((await ask('POST', ORDERS, adding(await rewritten(project)))).status).toBe(200)
    })
    const record = await project.runOn(storage, { rewriteUpTo: 0 })
    expect(record.error).toMatchObject({ kind: 'conflict' })
    expect(await sums(project)).toEqual([{ n: 4n, amount: '101' }])
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 5n, amount: '153' }])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('is refused with the reason where it is none, or goes too far', async () => {
    const { project, ask } = await lakeOfParts()
    const { number } = await project.state()
    const good = await rewritten(project)
    const cases: [string, Snapshot, string, object[]?][] = [
      [
        'a row is lost',
        await rewritten(project, { rows: (from) => `${from} WHERE id <> 2` }),
        'they have 3 rows instead of 4',
      ],
      [
        'rows are added',
        await rewritten(project, { rows: (from) => `${from} WHERE id = 2`, keepsOld: true }),
        'they have 5 rows instead of 4',
      ],
      [
        'its files lie elsewhere',
        await rewritten(project, { into: 'external/ml/t/data' }),
        'is not below',
      ],
      [
        'its files have another size',
        await rewritten(project, { listed: (file) => ({ ...file, bytes: file.bytes + 1 }) }),
        `bytes instead of`,
      ],
      [
        'its files are missing',
        await rewritten(project, { listed: (file) => ({ ...file, path: `${file.path}x` }) }),
        'is missing',
      ],
      [
        'it is listed with an old file of the table',
        await rewritten(project, { listed: (file) => ({ ...file, path: `${file.path}/../y` }) }),
        'is not below',
      ],
      ['it follows another', { ...good, 'parent-snapshot-id': 7 }, 'is not the current one'],
      ['it has another schema', { ...good, 'schema-id': 3 }, 'has schema 3, and the table has 0'],
      ['its clock is wrong', { ...good, 'timestamp-ms': Date.now() + 1e9 }, 'a day ahead'],
      [
        'its list lies elsewhere',
        { ...good, 'manifest-list': `${project.storage.url}/x.avro` },
        'is not below',
      ],
      [
        'its list is another file',
        {
          ...good,
          'manifest-list': `${project.storage.locate((await project.state()).tables['silver.orders']?.metadata as string)}`,
        },
        'is damaged',
      ],
      [
        'it says what it is not',
        { ...good, summary: { operation: 'overwrite' } },
        'Cannot change rows of silver.orders',
      ],
      [
        'it changes more',
        good,
        'Cannot change the properties',
        [{ action: 'set-properties', updates: { a: 'b' } }],
      ],
      [
        'it adds a second one',
        good,
        'has several snapshots',
        [{ action: 'add-snapshot', snapshot: { ...good, 'snapshot-id': 5 } }],
      ],
    ]
    for (const [what, snapshot, why, more] of cases) {
      const { status, json } = await ask('POST', ORDERS, adding(snapshot, more))
      expect([what, status, json.error?.message]).toEqual([what, 400, expect.stringContaining(why)])
    }
    const staged = await ask('POST', ORDERS, {
      updates: [{ action: 'add-snapshot', snapshot: good }],
    })
    expect(staged.json.error.message).toContain('is for a branch')
    expect((await project.state()).number).toBe(number)
    expect(await orders(project)).toHaveLength(4)
    expect(
      (await ask('POST', ORDERS, adding(good, tag('done', good['snapshot-id'] as number).updates)))
        .status,
    ).toBe(200)
  })
})

describe('statistics of a table that lake.ts defines', () => {
  const statistics = (id: number, path: string) => ({
    updates: [
      {
        action: 'set-statistics',
        statistics: {
          'snapshot-id': id,
          'statistics-path': path,
          'file-size-in-bytes': 4,
          'file-footer-size-in-bytes': 2,
          'blob-metadata': [],
        },
      },
    ],
  })

  it('are kept with the snapshot that they are of, and go with it', async () => {
    const { project, ask } = await lake()
    const { location, 'current-snapshot-id': id } = (await ask('GET', ORDERS)).json.metadata
    const path = `${project.storage.url}/silver/orders/metadata/1.stats`
    expect(path.startsWith(location)).toBe(true)
    expect(await ask('POST', ORDERS, statistics(id, path))).toMatchObject({ status: 400 })
    await project.write({ 'lake/silver/orders/metadata/1.stats': 'PFA1' })
    // As Spark spells it; the table has it as all of its paths.
    const short = path.replace('file:///', 'file:/')
    const { metadata } = (await ask('POST', ORDERS, statistics(id, short))).json
    expect(metadata.statistics[0]['statistics-path']).toBe(path)
    const elsewhere = `${project.storage.url}/silver/orders2/1.stats`
    expect((await ask('POST', ORDERS, statistics(id, elsewhere))).status).toBe(400)
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect(await project.storage.stat('silver/orders/metadata/1.stats')).toBeDefined()
    await project.write({ 'in/2.csv': 'id,amount\n3,30\n' })
    expect((await project.run()).outcome).toBe('done')
    expect((await ask('GET', ORDERS)).json.metadata.statistics).toHaveLength(1)
    await age(project)
    expect((await project.cli('vacuum', '--history', '0s', '--delete')).code).toBe(0)
    expect((await ask('GET', ORDERS)).json.metadata.statistics).toEqual([])
    expect(await project.storage.stat('silver/orders/metadata/1.stats')).toBeUndefined()
  })
})

describe('what an engine may not do to a table that lake.ts defines', () => {
  const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
  const cases: [string, readonly object[], string][] = [
    [
      'append',
      [{ action: 'add-snapshot', snapshot: { summary: { operation: 'append' } } }],
      'Cannot append to silver.orders: its rows are computed from its inputs',
    ],
    [
      'delete',
      [{ action: 'add-snapshot', snapshot: { summary: { operation: 'delete' } } }],
      'Cannot delete from silver.orders',
    ],
    [
      'change columns',
      [
        { action: 'add-schema', schema },
        { action: 'set-current-schema', 'schema-id': -1 },
      ],
      'Cannot change the columns of silver.orders: lake.ts defines them. Change them there',
    ],
    [
      'change partitions',
      [{ action: 'add-spec', spec: { fields: [] } }],
      'Cannot change the partitions of silver.orders',
    ],
    [
      'change the order',
      [{ action: 'add-sort-order', 'sort-order': { fields: [] } }],
      'moraine optimize silver.orders --order-by',
    ],
    [
      'change properties',
      [{ action: 'set-properties', updates: { 'gc.enabled': 'true' } }],
      'Cannot change the properties of silver.orders',
    ],
    [
      'remove properties',
      [{ action: 'remove-properties', removals: ['gc.enabled'] }],
      'Cannot change the properties of silver.orders',
    ],
    ['move it', [{ action: 'set-location', location: 'file:///x' }], 'moraine copy'],
    [
      'upgrade it',
      [{ action: 'upgrade-format-version', 'format-version': 3 }],
      'Cannot upgrade the format of silver.orders',
    ],
    [
      'expire snapshots',
      [{ action: 'remove-snapshots', 'snapshot-ids': [1] }],
      'Run instead: moraine vacuum --history',
    ],
    [
      'make a branch',
      [{ action: 'set-snapshot-ref', 'ref-name': 'dev', type: 'branch', 'snapshot-id': 1 }],
      'Cannot create or change the branch dev of silver.orders',
    ],
    [
      'go back',
      [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 1 }],
      'moraine rollback',
    ],
    [
      'remove main',
      [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }],
      'Cannot set silver.orders to another snapshot',
    ],
    ['do what nobody knows', [{ action: 'rewrite-everything' }], 'Cannot change silver.orders'],
  ]

  it('is refused with the reason and the way out, also beside what is allowed', async () => {
    const { project, ask } = await lake()
    const { number } = await project.state()
    const allowed = tag('x', await current(ask)).updates
    for (const [what, updates, message] of cases) {
      for (const all of [updates, [...allowed, ...updates]]) {
        const { status, json } = await ask('POST', ORDERS, { updates: all })
        expect([what, status, json.error.type]).toEqual([what, 400, 'IllegalArgumentException'])
        expect(json.error.message).toContain(message)
      }
    }
    const renamed = {
      source: { namespace: ['silver'], name: 'orders' },
      destination: { namespace: ['silver'], name: 'sales' },
    }
    for (const [method, path, body, message] of [
      ['DELETE', ORDERS, undefined, 'then run: moraine drop silver.orders'],
      ['DELETE', `${ORDERS}?purgeRequested=true`, undefined, 'Cannot drop silver.orders'],
      ['POST', 'tables/rename', renamed, 'then run: moraine rename silver.orders <new name>'],
      ['POST', 'namespaces/silver/tables', { name: 'mine', schema }, 'defined in lake.ts'],
      ['DELETE', 'namespaces/silver', undefined, 'defined in lake.ts'],
    ] as const) {
      const { status, json } = await ask(method, path, body)
      expect([path, status]).toEqual([path, 400])
      expect(json.error.message).toContain(message)
    }
    expect((await project.state()).number).toBe(number)
  })
})
