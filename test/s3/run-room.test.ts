import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { Table } from '../../src/iceberg/table.js'
import type { LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import { openStorage } from '../../src/serve/index.js'
import { openRunRoom } from '../../src/serve/run-room.js'
import type { Storage } from '../../src/storage/storage.js'
import { startBuckets } from '../support/buckets.js'
import { type Fate, type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js'
import { repository } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

/*
 * Rooms of runs in a bucket whose answers get lost, and whose processes are killed: what a run
 * publishes is there once, and of all others nothing is left.
 */

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const info = { author: 'ada', run: null, message: 'build' }
const tables = ['gold.daily']

withService('MinIO', [minioProgram], () => {
  let server: Server
  let proxy: FaultyProxy
  let fate: () => Fate = () => 'pass'
  let lakes = 0
  let root = ''

  beforeAll(async () => {
    server = (await startBuckets(['rooms'])).server
    const changes = ['PUT', 'POST', 'DELETE']
    proxy = await faultyProxy(server.url, ({ method = '', url = '' }) =>
      changes.includes(method) && url.includes('/_moraine/') ? fate() : 'pass',
    )
  })

  afterAll(async () => {
    proxy?.close()
    await server?.stop()
  })

  beforeEach(() => {
    fate = () => 'pass'
    root = `s3://rooms/lake-${++lakes}?endpoint=${proxy.url}`
  })

  /** A lake with one table of silver. */
  async function begun(storage: Storage): Promise<LakeState> {
    const log = new CommitLog(storage)
    const { pointer, totals } = await Table.create(storage, 'silver/orders')
      .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
      .save()
    const orders = { ...pointer, ...totals, definition: {} }
    return log.commit(await log.head(), { tables: { 'silver.orders': orders } }, info)
  }

  /** Has an engine make the table of a room, which takes several requests. */
  async function build(room: { url: string; branch: string; token: () => Promise<string> }) {
    const headers = {
      authorization: `Bearer ${await room.token()}`,
      'x-iceberg-access-delegation': 'vended-credentials',
    }
    const ask = async (path: string, body: object) => {
      const at = `${room.url}/v1/${room.branch}/namespaces/gold/${path}`
      const answer = await fetch(at, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: answer.status, json: (await answer.json()) as any }
    }
    const made = await ask('tables', { name: 'daily', schema })
    const keys = made.json['storage-credentials']?.[0]?.config ?? {}
    const set = (value: string) => ({ action: 'set-properties', updates: { turn: value } })
    const changed = await ask('tables/daily', { requirements: [], updates: [set('1')] })
    return { statuses: [made.status, changed.status], keys, at: made.json.metadata?.location }
  }

  const branchesOf = async (storage: Storage) =>
    Object.keys((await new CommitLog(storage).head()).branches ?? {})

  async function isSound(storage: Storage) {
    expect((await verifyLake(storage, new CommitLog(storage))).problems).toEqual([])
  }

  it('publish once, whichever answers of the bucket get lost, with keys for their own folder', async () => {
    const storage = openStorage(root)
    const before = await begun(storage)
    const chance = random(seed)
    let lost = 0
    fate = () => {
      const drawn = chance()
      if (drawn < 0.25) lost++
      return drawn < 0.15 ? 'lose' : drawn < 0.25 ? 503 : 'pass'
    }
    for (let turn = 0; turn < 4; turn++) {
      const room = await openRunRoom(storage, { run: `R-${turn}`, author: 'ada', tables })
      if (turn > 0) await room.show({ 'gold.daily': null })
      const { statuses, keys, at } = await build(room)
      expect(statuses).toEqual([200, 200])
      expect(at).toMatch(new RegExp(`^s3://rooms/lake-\\d+/gold/_run-r-${turn}/daily-`))
      expect(keys['s3.session-token']).toEqual(expect.any(String))
      const built = Object.entries(await room.tables()).map(([name, table]) => [
        name,
        { ...table, definition: { turn: String(turn) } },
      ])
      if (turn === 2) {
        await room.close()
        continue
      }
      const state = await room.publish({ changes: { tables: Object.fromEntries(built) }, info })
      expect(state.tables['gold.daily']?.definition).toEqual({ turn: String(turn) })
      await room.close()
    }
    expect(lost).toBeGreaterThan(3)
    fate = () => 'pass'
    const head = await new CommitLog(storage).head()
    expect(head.branches).toBeUndefined()
    // Each room was opened and ended by one commit, and three of the four ends published; the
    // catalog's commits are on their branches.
    expect(head.number).toBe(before.number + 8)
    await isSound(storage)
  }, 120_000)

  it('leave nothing behind where their process is killed', async () => {
    const storage = openStorage(root)
    await begun(storage)
    const script = `
      import { openRunRoom, openStorage } from 'moraine/serve'
      const room = await openRunRoom(openStorage(${JSON.stringify(root)}), {
        run: 'K-1', author: 'ada', tables: ['gold.daily'],
      })
      const headers = { authorization: 'Bearer ' + (await room.token()) }
      const body = JSON.stringify({ name: 'daily', schema: ${JSON.stringify(schema)} })
      const url = room.url + '/v1/' + room.branch + '/namespaces/gold/tables'
      const { status } = await fetch(url, { method: 'POST', headers, body })
      console.log(status)
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: repository,
      env: { ...process.env, ...minioKeys },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = await once(child.stdout, 'data')
    expect(String(said)).toBe('200\n')
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    expect(await branchesOf(storage)).toEqual(['_run-k-1'])
    // The next one finds it dead, and is not in its way.
    const next = await openRunRoom(storage, { run: 'K-2', author: 'ada', tables })
    expect(await branchesOf(storage)).toEqual(['_run-k-2'])
    expect((await build(next)).statuses).toEqual([200, 200])
    await next.close()
    const now = () => new Date(Date.now() + 10 * 86_400_000)
    const options = { grace: 86_400_000, remove: true, info, now }
    await vacuum(new CommitLog(storage), storage, options)
    expect(await storage.list('gold/')).toEqual([])
    await isSound(storage)
  }, 120_000)
})
