import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseJson, toJsonText } from '../../../src/iceberg/json.js'
import type { DataFile } from '../../../src/iceberg/spec/manifest.js'
import type { Snapshot } from '../../../src/iceberg/spec/metadata.js'
import { Table } from '../../../src/iceberg/table.js'
import { createBranch } from '../../../src/log/branch/named.js'
import { lookForLive } from '../../../src/log/live.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { openRunRoom, type RunRoom } from '../../../src/serve/run-room.js'
import { MemoryStorage } from '../../../src/storage/memory.js'
import { Project, repository } from '../../support/project.js'

const TOKEN = 'the token of the server'
const author = { author: 'ada', run: null }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const day = 86_400_000

/** A lake with a silver table, and engines that build gold for runs through its catalog. */
class Lake {
  readonly app: ReturnType<typeof catalog>
  constructor(readonly storage = new MemoryStorage()) {
    this.app = catalog(storage, { token: TOKEN, isLocal: () => true })
  }

  static async begun(storage = new MemoryStorage()): Promise<Lake> {
    const lake = new Lake(storage)
    const table = await lake.rows(lake.empty('silver/orders'), 'first')
    const { pointer, totals } = table
    const log = new CommitLog(storage)
    const orders = { ...pointer, ...totals, definition: {} }
    const info = { ...author, message: 'build silver.orders' }
    await log.commit(await log.head(), { tables: { 'silver.orders': orders } }, info)
    await createBranch(log, 'dev', await log.head(), author)
    return lake
  }

  empty(folder: string): Table {
    const columns = [{ name: 'id', type: { kind: 'int' } }] as const
    return Table.create(this.storage, folder).reshape({ columns, partitions: [] })
  }

  /** A table with one more row, in a file of its own. */
  async rows(table: Table, name: string, folder = table.folder): Promise<Table> {
    const path = `${folder}/data/${name}.parquet`
    await this.storage.write(path, new Uint8Array(1))
    return table.write({ removed: new Set(), added: [file(path)] })
  }

  open(run: string, tables: readonly string[] = ['gold.daily']): Promise<RunRoom> {
    const served = { url: 'http://lake/iceberg', as: TOKEN }
    return openRunRoom(this.storage, { run, author: 'ada', tables, served })
  }

  /** What the catalog answers to an engine that shows a token. */
  async ask(token: string, method: string, path: string, body?: object) {
    const init = { method, headers: { authorization: `Bearer ${token}` } }
    const text = body ? { body: toJsonText(body, 0) } : {}
    const answer = await this.app.request(`/v1/${path}`, { ...init, ...text })
    const said = await answer.text()
    const json = said ? (parseJson(said) as any) : undefined
    return { status: answer.status, json, why: json?.error?.message as string | undefined }
  }

  /** What a run's engine asks for on the run's own branch. */
  async by(room: RunRoom) {
    const token = await room.token()
    return (method: string, path: string, body?: object) =>
      this.ask(token, method, `${room.branch}/${path}`, body)
  }

  /** Has the engine of a run make gold.daily, with one row. */
  async build(room: RunRoom): Promise<void> {
    const ask = await this.by(room)
    const made = await ask('POST', 'namespaces/gold/tables', { name: 'daily', schema })
    expect(made.status, made.why).toBe(200)
    const done = await ask('POST', 'namespaces/gold/tables/daily', await this.append(room, 'a'))
    expect(done.status, done.why).toBe(200)
  }

  /** What an engine sends that has written one more file to gold.daily. */
  async append(room: RunRoom, name: string, folder?: string) {
    const { json } = await (await this.by(room))('GET', 'namespaces/gold/tables/daily')
    const path = json['metadata-location'].slice(`${this.storage.url}/`.length)
    const table = await Table.load(this.storage, path)
    return commitOf(await this.rows(table, name, folder))
  }

  async publish(room: RunRoom) {
    const built = Object.entries(await room.tables()).map(([table, state]) => [
      table,
      { ...state, definition: { query: 'q' } },
    ])
    const info = { ...author, message: 'build gold' }
    return room.publish({ changes: { tables: Object.fromEntries(built) }, info })
  }

  head = () => new CommitLog(this.storage).head()

  async data(prefix = ''): Promise<string[]> {
    const all = await this.storage.list(prefix)
    return all.map(({ path }) => path).filter((path) => path.endsWith('.parquet'))
  }

  vacuum() {
    const now = () => new Date(Date.now() + 10 * day)
    const options = { grace: day, remove: true, info: author, now }
    return vacuum(new CommitLog(this.storage), this.storage, options)
  }
}

const file = (path: string): DataFile => ({
  path: `memory:///lake/${path}`,
  rows: 1,
  bytes: 1,
  partition: [],
  columns: new Map(),
})

async function commitOf(table: Table) {
  const snapshot = table.metadata.snapshots.at(-1) as Snapshot
  const id = snapshot['snapshot-id']
  return {
    requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ] as object[],
  }
}

describe('a run’s own branch', () => {
  it('is published in one commit, with which it ends', async () => {
    const lake = await Lake.begun()
    const before = await lake.head()
    const room = await lake.open('R-1')
    await lake.build(room)
    expect((await lake.head()).tables).toEqual(before.tables)
    expect(await room.tables()).toMatchObject({ 'gold.daily': { rows: 1, files: 1, bytes: 1 } })
    const { number, tables, branches } = await lake.publish(room)
    // One opens it, one publishes.
    expect(number).toBe(before.number + 2)
    expect(tables['gold.daily']).toMatchObject({ rows: 1, definition: { query: 'q' } })
    expect(branches).toEqual(before.branches)
    await room.close()
    expect((await lake.head()).number).toBe(number)
    expect(await lake.data('gold/')).toEqual([
      expect.stringMatching(/^gold\/_run-r-1\/daily-\w{12}\/data\/a\.parquet$/),
    ])
    const { problems } = await verifyLake(lake.storage, new CommitLog(lake.storage))
    expect(problems).toEqual([])
  })

  it('leaves nothing where the run publishes nothing', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    await lake.build(room)
    await room.close()
    await room.close()
    expect((await lake.head()).branches).toEqual({ dev: expect.anything() })
    expect((await lake.vacuum()).files).toBeGreaterThan(2)
    expect(await lake.data()).toEqual(['silver/orders/data/first.parquet'])
  })

  it('shows the engine what the run itself has built before', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    const next = await lake.rows(
      await Table.load(lake.storage, (await lake.head()).tables['silver.orders'] as never),
      'second',
    )
    await room.show({ 'silver.orders': { ...next.pointer, ...next.totals, definition: {} } })
    const { json } = await (await lake.by(room))('GET', 'namespaces/silver/tables/orders')
    expect(json.metadata['current-snapshot-id']).toEqual(next.metadata['current-snapshot-id'])
    expect(await room.tables()).toEqual({})
    await room.close()
  })

  it('is no place for whoever holds the token of another, nor for people', async () => {
    const lake = await Lake.begun()
    const [mine, theirs] = [await lake.open('R-1'), await lake.open('R-2')]
    await lake.build(theirs)
    const table = `${theirs.branch}/namespaces/gold/tables/daily`
    expect((await lake.ask(await theirs.token(), 'GET', table)).status).toBe(200)
    expect((await lake.ask(await mine.token(), 'GET', table)).why).toContain(
      'for its own branch alone: _run-r-1',
    )
    const within = `namespaces/gold%40${theirs.branch}/tables/daily`
    expect((await lake.ask(await mine.token(), 'GET', within)).why).toContain('its own branch')
    for (const path of [table, within])
      expect(await lake.ask(TOKEN, 'GET', path)).toMatchObject({
        status: 404,
        why: expect.not.stringContaining('_run-r-1'),
      })
    const all = (await lake.ask(TOKEN, 'GET', 'namespaces')).json.namespaces
    expect(all).toEqual([['silver'], ['silver@dev']])
    expect((await lake.ask(await mine.token(), 'GET', 'namespaces')).json.namespaces).toEqual([
      ['gold@_run-r-1'],
      ['silver@_run-r-1'],
    ])
    await expect(
      createBranch(new CommitLog(lake.storage), '_run-r-3', await lake.head(), author),
    ).rejects.toThrow("can't be the name of a branch")
    await Promise.all([mine.close(), theirs.close()])
  })

  it('is all that its token is for, whatever is asked for with it', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    await lake.build(room)
    const [token, ask] = [await room.token(), await lake.by(room)]
    const before = await new CommitLog(lake.storage).head()
    const { json } = await ask('GET', 'namespaces/gold/tables/daily')
    const { 'metadata-location': location, metadata } = json
    const elsewhere = `${lake.storage.url}/silver/orders`
    const daily = 'namespaces/gold/tables/daily'
    const update = (...updates: object[]) => ask('POST', daily, { updates })
    const make = (more: object) =>
      ask('POST', 'namespaces/gold/tables', { name: 'x', schema, ...more })
    const staged = {
      ...(await lake.append(room, 'b')),
      identifier: { namespace: ['gold'], name: 'new' },
    }
    staged.requirements = [{ type: 'assert-create' }] as never
    const answers = {
      main: lake.ask(token, 'GET', 'namespaces/silver/tables/orders'),
      'by its name': lake.ask(token, 'GET', 'main/namespaces'),
      dev: lake.ask(token, 'GET', 'dev/namespaces/silver/tables/orders'),
      'dev within': lake.ask(token, 'GET', 'namespaces/silver%40dev/tables/orders'),
      config: lake.ask(token, 'GET', 'config?warehouse=lake@dev'),
      'a table of another': ask(
        'POST',
        'namespaces/silver/tables/orders',
        await lake.append(room, 'c'),
      ),
      drop: ask('DELETE', 'namespaces/silver/tables/orders'),
      namespace: ask('POST', 'namespaces', { namespace: ['ml'] }),
      'a table of nobody': make({}),
      'in a transaction': ask('POST', 'transactions/commit', { 'table-changes': [staged] }),
      view: ask('POST', 'namespaces/gold/views', { name: 'daily' }),
      register: ask('POST', 'namespaces/gold/register', {
        name: 'daily',
        'metadata-location': location,
        overwrite: true,
      }),
      rename: ask('POST', 'tables/rename', {
        source: { namespace: ['gold'], name: 'daily' },
        destination: { namespace: ['gold'], name: 'daily' },
      }),
      moved: update({ action: 'set-location', location: elsewhere }),
      'data elsewhere': update({
        action: 'set-properties',
        updates: { 'write.data.path': elsewhere },
      }),
      'metadata elsewhere': update({
        action: 'set-properties',
        updates: { 'write.metadata.path': elsewhere },
      }),
      version: update({ action: 'upgrade-format-version', 'format-version': 3 }),
      snapshots: update({
        action: 'remove-snapshots',
        'snapshot-ids': [metadata['current-snapshot-id']],
      }),
      'a file of another': ask('POST', daily, await lake.append(room, 'd', 'silver/orders')),
      statistics: update({
        action: 'set-statistics',
        statistics: {
          'snapshot-id': metadata['current-snapshot-id'],
          'statistics-path': `${elsewhere}/data/first.parquet`,
          'file-size-in-bytes': 1,
          'file-footer-size-in-bytes': 1,
          'blob-metadata': [],
        },
      }),
    }
    const whys: Record<string, string | undefined> = {}
    for (const [name, answer] of Object.entries(answers)) {
      const { status, why } = await answer
      expect([name, status]).toEqual([name, expect.toSatisfy((code) => code >= 400 && code < 500)])
      whys[name] = why?.replace(/daily-\w{12}/g, 'daily')
    }
    expect(whys).toMatchInlineSnapshot(`
      {
        "a file of another": "Cannot write to gold.daily: memory:///lake/silver/orders/data/d.parquet is not below memory:///lake/gold/_run-r-1/daily/data. Nothing was changed",
        "a table of another": "token may not write to silver.orders: this token is of run R-1, which builds gold.daily",
        "a table of nobody": "token may not write to gold.x: this token is of run R-1, which builds gold.daily",
        "by its name": "This token is of run R-1, and for its own branch alone: _run-r-1",
        "config": "This token is of run R-1, and for its own branch alone: _run-r-1",
        "data elsewhere": "Cannot write to gold.daily: its files lie in its own folder, and write.data.path says otherwise. Nothing was changed",
        "dev": "This token is of run R-1, and for its own branch alone: _run-r-1",
        "dev within": "This token is of run R-1, and for its own branch alone: _run-r-1",
        "drop": "token may not write to silver.orders: this token is of run R-1, which builds gold.daily",
        "in a transaction": "token may not write to gold.new: this token is of run R-1, which builds gold.daily",
        "main": "This token is of run R-1, and for its own branch alone: _run-r-1",
        "metadata elsewhere": "Cannot write to gold.daily: its files lie in its own folder, and write.metadata.path says otherwise. Nothing was changed",
        "moved": "Cannot move gold.daily: all tables of the lake lie below its root. To move the lake, run: moraine copy",
        "namespace": "token may not create namespace ml: this token is of run R-1, which builds gold.daily",
        "register": "Cannot register gold.daily: what a run builds is created on its own branch",
        "rename": "Cannot rename gold.daily: lake.ts defines it. Rename it there, then run: moraine rename gold.daily <new name>",
        "snapshots": "Cannot remove snapshots of gold.daily: earlier states of the lake refer to their files. Run instead: moraine vacuum --history <time>",
        "statistics": "Cannot set statistics of gold.daily: memory:///lake/silver/orders/data/first.parquet is not below memory:///lake/gold/_run-r-1/daily",
        "version": "Cannot upgrade the format of gold.daily: moraine run writes version 2. Tables in a namespace of your own may have version 3",
        "view": "Cannot create a view in gold: its tables are defined in lake.ts. Change the definition and run moraine run, or write to a namespace of your own",
      }
    `)
    // None of it has done anything.
    expect(await new CommitLog(lake.storage).head()).toEqual(before)
    expect(await room.tables()).toMatchObject({ 'gold.daily': { rows: 1, files: 1 } })
    await room.close()
  })

  it('is closed to its token once the run has ended, and to one that has expired', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    expect((await lake.ask(await room.token(-1), 'GET', 'config')).status).toBe(401)
    const token = await room.token()
    await lake.build(room)
    const late = await lake.append(room, 'late')
    await room.close()
    for (const [method, path, body] of [
      ['GET', 'config'],
      ['GET', `${room.branch}/namespaces`],
      ['POST', `${room.branch}/namespaces/gold/tables/daily`, late],
    ] as const)
      expect(await lake.ask(token, method, path, body)).toMatchObject({
        status: 400,
        why: 'Run R-1 has ended: its branch and its token are of no use any more',
      })
  })

  it('is renewed as what it was', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await room.token(),
    }
    const answer = await lake.app.request('/v1/oauth/tokens', {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const path = 'namespaces/silver/tables/orders'
    expect((await lake.ask(token, 'GET', `${room.branch}/${path}`)).status).toBe(200)
    expect((await lake.ask(token, 'GET', path)).status).toBe(400)
    await room.close()
  })
})

describe('a run that dies', () => {
  it('loses its branch to the next run, and can publish nothing afterwards', async () => {
    const lake = await Lake.begun()
    const room = await lake.open('R-1')
    await lake.build(room)
    const { live } = await lookForLive(lake.storage, Date.now())
    expect(live.map(({ id }) => id)).toEqual(['of_run-r-1'])
    // As if its process were gone.
    for (const { path } of await lake.storage.list('_moraine/live/')) lake.storage.remove(path)
    const next = await lake.open('R-2')
    expect(Object.keys((await lake.head()).branches ?? {})).toEqual(['dev', '_run-r-2'])
    await expect(lake.publish(room)).rejects.toThrow('end of branch _run-r-1')
    expect((await lake.head()).tables).not.toHaveProperty('gold.daily')
    await lake.build(next)
    await lake.publish(next)
    expect((await lake.head()).tables).toHaveProperty('gold.daily')
  })

  it('leaves nothing behind, killed at any time', async () => {
    const project = await Project.create({})
    const script = `
      import { openRunRoom, openStorage } from 'moraine/serve'
      const room = await openRunRoom(openStorage(${JSON.stringify(`${project.folder}/lake`)}), {
        run: 'R-1', author: 'ada', tables: ['gold.daily'],
      })
      const headers = { authorization: 'Bearer ' + (await room.token()) }
      const body = JSON.stringify({ name: 'daily', schema: ${JSON.stringify(schema)} })
      const url = room.url + '/v1/' + room.branch + '/namespaces/gold/tables'
      const { status } = await fetch(url, { method: 'POST', headers, body })
      console.log(status)
      setInterval(() => {}, 1000)`
    const args = ['--input-type=module', '-e', script]
    const child = spawn(process.execPath, args, {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = await once(child.stdout, 'data')
    expect(String(said)).toBe('200\n')
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    expect((await project.storage.list('gold/')).length).toBe(1)
    const log = new CommitLog(project.storage)
    expect(Object.keys((await log.head()).branches ?? {})).toEqual(['_run-r-1'])
    const now = () => new Date(Date.now() + 10 * day)
    await vacuum(log, project.storage, { grace: day, remove: true, info: author, now })
    expect((await log.head()).branches).toBeUndefined()
    expect(await project.storage.list('gold/')).toEqual([])
    expect(await project.storage.list('_moraine/live/')).toEqual([])
  })
})
