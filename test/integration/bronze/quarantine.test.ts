import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Landed, Landing } from '../../../src/bronze/ingest/landing.js'
import { quarantinedIn } from '../../../src/log/quarantined.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { sample } from '../../support/effort.js'
import { FAILURE, POISON, runPoisoned } from '../../support/poison.js'
import { Project, step } from '../../support/project.js'

const lake = (from: string, more = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
const raw = bronze('events', { from: ${from} })
const events = silver('events', { from: raw, schema: z.object({ id: t.int(), v: t.int() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [events]${more} })
`

const rows = (project: Project) => project.query('SELECT id, v FROM silver.events ORDER BY id')
const quarantined = async (project: Project) =>
  quarantinedIn(await project.state()).map(({ object }) => object)

let keys = 0
const request = (...rows: object[]): Landed => ({
  key: `key-${keys++}`,
  rows: rows.map((row) => JSON.stringify(row)),
})

async function land(project: Project, ...requests: Landed[]): Promise<void> {
  await new Landing(project.storage, 'events').write(requests)
}

/**
 * Ways in which objects come one by one: each brings a row, some of them one that can't be read.
 */
const ways = {
  'requests that landed': {
    from: 'ingest()',
    put: (project: Project, _n: number, row: object) => land(project, request(row)),
  },
  'requests of one landed object': {
    from: 'ingest()',
    put: async (project: Project, n: number, row: object) => {
      const landing = new Landing(project.storage, 'events')
      const [last] = n % 4 === 1 ? [] : (await landing.list()).slice(-1)
      const before = (last && (await landing.read(last.path))) ?? []
      if (last) await project.storage.remove(last.path)
      await landing.write([...before, request(row)])
    },
  },
  'files of an inbox': {
    from: "inbox({ settle: '1ms' })",
    put: async (project: Project, n: number, row: object) => {
      const folder = join(project.folder, 'lake/bronze/landing/events')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `${String(n).padStart(3, '0')}.jsonl`), JSON.stringify(row))
    },
  },
  'files of an archived inbox': {
    from: "inbox({ settle: '1ms' }), archive: true",
    put: async (project: Project, n: number, row: object) => {
      const folder = join(project.folder, 'lake/bronze/landing/events')
      await mkdir(folder, { recursive: true })
      const text = `id,v,note\n${Object.values({ note: '', ...row }).length && [row].map((r) => `${(r as never as { id: number }).id},${(r as never as { v: number }).v},${(r as { note?: string }).note ?? ''}`)}\n`
      await writeFile(join(folder, `${String(n).padStart(3, '0')}.csv`), text)
    },
  },
  'files of a folder': {
    from: "files('in/*.jsonl')",
    put: (project: Project, n: number, row: object) =>
      project.write({ [`in/${String(n).padStart(3, '0')}.jsonl`]: JSON.stringify(row) }),
  },
}

describe.each(Object.entries(ways))('%s', (_, { from, put }) => {
  it('that can not be read step aside, and what is behind them goes on', async () => {
    const project = await Project.create({ 'lake.ts': lake(from) })
    await put(project, 1, { id: 1, v: 1 })
    await put(project, 2, { id: 1, v: 2, note: POISON })
    await put(project, 3, { id: 2, v: 3, note: POISON })
    await put(project, 4, { id: 1, v: 4 })
    await put(project, 5, { id: 3, v: 5 })
    const first = await runPoisoned(project)
    expect(first.outcome).toBe('done')
    expect(await rows(project)).toEqual([
      { id: 1, v: 4 },
      { id: 3, v: 5 },
    ])
    expect(step(first, 'bronze.events').quarantine).toMatchObject({ total: 2, held: 0 })
    // It comes again three times in all; then it stays, until somebody says what is to become of
    // it.
    for (const held of [0, 2, 2]) {
      const next = await runPoisoned(project)
      expect(next.outcome).toBe('done')
      expect(step(next, 'bronze.events').quarantine).toMatchObject({ total: 2, held })
    }
    expect(await quarantined(project)).toMatchObject([
      { failures: 3, held: true, reason: FAILURE },
      { failures: 3, held: true, reason: FAILURE },
    ])
    await put(project, 6, { id: 4, v: 6 })
    expect((await runPoisoned(project)).outcome).toBe('done')
    expect(await rows(project)).toHaveLength(3)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // Once it can be read, its rows are where they arrived: older than those that came after them.
    const [one, two] = await quarantined(project)
    const retried = await project.cli('quarantine', 'retry', one?.id ?? '', two?.id ?? '')
    expect(retried.stderr).toBe('')
    expect([retried.code, retried.stdout]).toEqual([0, expect.any(String)])
    const all = [
      { id: 1, v: 4 },
      { id: 2, v: 3 },
      { id: 3, v: 5 },
      { id: 4, v: 6 },
    ]
    expect(await rows(project)).toEqual(all)
    expect(await quarantined(project)).toEqual([])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    await project.cli('vacuum', '--grace', '0s', '--delete')
    expect((await project.run({ full: true })).outcome).toBe('done')
    expect(await rows(project)).toEqual(all)
  })
})

it('nothing is left of what was tried to find out what is at fault', async () => {
  const project = await Project.create({ 'lake.ts': lake('ingest()') })
  for (let i = 0; i < 20; i++)
    await land(project, request({ id: i, v: i, ...(i === 13 ? { note: POISON } : {}) }))
  await runPoisoned(project)
  expect(await rows(project)).toHaveLength(19)
  expect(await readdir(join(project.folder, 'lake/bronze/landing/events'))).toEqual([])
  expect((await project.storage.list('bronze/events/probe/')).length).toBe(0)
})

const inboxLake = lake("inbox({ settle: '1ms' }), archive: true")
const dropped = ways['files of an archived inbox'].put

describe('what is no fault of an object puts nothing into quarantine', () => {
  const broken = {
    'a full disk': 'IO Error: Could not write file: No space left on device',
    'a permission': 'IO Error: Cannot open file: Permission denied',
    'an outage': 'HTTP Error: Connection refused',
  }
  it.each(sample(Object.entries(broken), 2))('%s', async (_, message) => {
    const project = await Project.create({ 'lake.ts': inboxLake })
    await dropped(project, 1, { id: 1, v: 1 })
    expect((await project.run()).outcome).toBe('done')
    await dropped(project, 2, { id: 2, v: 2, note: POISON })
    for (let i = 0; i < 4; i++)
      expect((await runPoisoned(project, { message })).outcome).toBe('failed')
    expect(await quarantined(project)).toEqual([])
    expect((await project.run()).outcome).toBe('done')
    expect(await rows(project)).toHaveLength(2)
  })

  it('a definition, or an engine, that can read nothing', async () => {
    const project = await Project.create({ 'lake.ts': inboxLake })
    for (const n of [1, 2, 3]) await dropped(project, n, { id: n, v: n, note: POISON })
    for (let i = 0; i < 4; i++) {
      const record = await runPoisoned(project)
      expect(step(record, 'bronze.events').error?.message).toBe(FAILURE)
    }
    expect(await quarantined(project)).toEqual([])
    // As soon as one of them can be read, it is the others that are at fault.
    await dropped(project, 4, { id: 4, v: 4 })
    expect((await runPoisoned(project)).outcome).toBe('done')
    expect(await rows(project)).toEqual([{ id: 4, v: 4 }])
    expect(await quarantined(project)).toHaveLength(3)
  })

  it('words of a system in values or names excuse nothing', async () => {
    const project = await Project.create({ 'lake.ts': inboxLake })
    await dropped(project, 1, { id: 1, v: 1 })
    await project.run()
    await dropped(project, 2, { id: 2, v: 2, note: POISON })
    await runPoisoned(project, {
      message: "Conversion Error: Could not convert 'permission denied, disk full' to INT32",
    })
    expect(await quarantined(project)).toHaveLength(1)
  })
})

describe('an object in quarantine', () => {
  async function waiting(from = "inbox({ settle: '1ms' }), archive: true") {
    const project = await Project.create({ 'lake.ts': lake(from) })
    for (const n of [1, 2, 3])
      await dropped(project, n, { id: n % 2, v: n, ...(n === 2 ? { note: POISON } : {}) })
    expect((await runPoisoned(project)).outcome).toBe('done')
    return project
  }

  it('is shown by list, show, status, verify and the run, and stays through vacuum', async () => {
    const project = await waiting()
    const [object] = await quarantined(project)
    const id = object?.id ?? ''
    const list = await project.cli('quarantine', 'list')
    expect(list.stdout).toContain(`${id}  events   002.csv`)
    for (const line of list.stdout.split('\n').slice(0, 3)) expect(line.length).toBeLessThan(160)
    const show = await project.cli('quarantine', 'show', id.slice(0, 4))
    expect(show.stdout).toContain(`reason    ${FAILURE}`)
    expect(show.stdout).toContain(`0,2,${POISON}`)
    const json = JSON.parse((await project.cli('quarantine', '--json')).stdout)
    expect(json).toMatchObject([{ id, dataset: 'bronze.events', failures: 1, held: false }])
    expect((await project.cli('status')).stdout).toContain('1 object is in quarantine')
    expect((await project.cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
    const verified = await project.cli('verify', '--deep')
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('002.csv')])
    expect((await project.cli('plan')).stdout).toContain('1 object in quarantine to try')
    const none = await project.cli('quarantine', 'retry', 'ffff')
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('is not in quarantine')])
    const run = await project.cli('run')
    expect(run.stdout).toContain('002.csv is out of quarantine')
    expect(await rows(project)).toEqual([
      { id: 0, v: 2 },
      { id: 1, v: 3 },
    ])
  })

  it('that is discarded is a discarded row with its reason, and is known when it comes again', async () => {
    const project = await waiting()
    const discard = await project.cli('quarantine', 'discard', '--all')
    expect(discard.stdout).toContain('✔ Discarded 002.csv of bronze.events')
    expect(await quarantined(project)).toEqual([])
    await dropped(project, 2, { id: 0, v: 2, note: POISON })
    const record = await project.run()
    expect(step(record, 'silver.events').counts).toMatchObject({ in: 1, discarded: 1 })
    expect(step(record, 'bronze.events').reason).toContain('002.csv arrived again')
    const told = await project.cli('discarded', 'events')
    expect(told.stdout).toContain('from quarantine: Not implemented')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.cli('rebuild', 'events', '--from', 'archive')).code).toBe(0)
    expect(await rows(project)).toEqual([{ id: 1, v: 3 }])
  })

  it('stays in it through a rollback, and is in its place after a rebuild from the archive', async () => {
    const project = await waiting()
    const before = await project.state()
    expect((await project.cli('rollback', '--to', '1')).code).toBe(0)
    expect(await quarantined(project)).toHaveLength(1)
    expect((await runPoisoned(project)).outcome).toBe('done')
    expect(await rows(project)).toEqual([{ id: 1, v: 3 }])
    const all = [
      { id: 0, v: 2 },
      { id: 1, v: 3 },
    ]
    expect((await project.cli('rebuild', 'events', '--from', 'archive')).code).toBe(0)
    expect(await rows(project)).toEqual(all)
    expect(await quarantined(project)).toEqual([])
    // What came back stays so: it arrived. And it is in the archive as all else is.
    expect((await project.cli('rollback', '--to', String(before.number))).code).toBe(0)
    await project.run()
    expect(await rows(project)).toEqual(all)
    expect((await project.cli('rebuild', 'events', '--from', 'archive')).code).toBe(0)
    expect(await rows(project)).toEqual(all)
    expect((await project.cli('verify', '--deep', '--head')).code).toBe(0)
  })
})

it('a request that ends the engine is found by the next engines', async () => {
  const project = await Project.create({ 'lake.ts': lake('ingest()') })
  for (let i = 0; i < 20; i++)
    await land(project, request({ id: i, v: i, ...(i === 13 ? { note: POISON } : {}) }))
  const message = 'INTERNAL Error: Attempted to access index 7 within vector of size 7'
  let failed = 0
  while ((await runPoisoned(project, { message })).outcome !== 'done')
    expect(++failed).toBeLessThan(8)
  expect(await rows(project)).toHaveLength(19)
  expect(await quarantined(project)).toMatchObject([{ name: 'POST /ingest/events' }])
  const [one] = await quarantined(project)
  expect((await project.cli('quarantine', 'retry', one?.id ?? '')).code).toBe(0)
  expect(await rows(project)).toHaveLength(20)
})

it('an object that is read in pieces is read on from there, however long nobody did', async () => {
  const definition = lake('ingest()').replace(", key: 'id' })", ' })')
  const project = await Project.create({ 'lake.ts': definition })
  const sent = [1, 2, 3, 4, 5, 6].map((id) =>
    request({ id, v: id, ...(id === 5 ? { note: POISON } : {}) }),
  )
  await land(project, ...sent)
  /** Ends a run, as a kill would, between the first piece and the second. */
  class Cut extends LocalStorage {
    commits = 0
    override createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
      if (/_moraine\/log\/main\/\d+\.json$/.test(path) && ++this.commits > 1)
        throw new Error('killed')
      return super.createIfAbsent(path, bytes)
    }
  }
  const cut = new Cut(join(project.folder, 'lake'))
  await runPoisoned(project, { storage: cut }).catch(() => {})
  expect(cut.commits).toBeGreaterThan(1)
  expect((await project.state()).watermarks['bronze.events']).toMatchObject({ reached: { of: 6 } })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * 3_600_000 })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  await runPoisoned(project)
  const found = await project.query('SELECT id FROM silver.events ORDER BY id')
  expect(found.map(({ id }) => Number(id))).toEqual([1, 2, 3, 4, 6])
  expect(await quarantined(project)).toHaveLength(1)
})

it('says where it is told what could not be read, when it is empty', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const rows = silver('rows', { from: bronze('rows', { from: files('in/*') }), schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'files', datasets: [rows] })
`,
    'in/1.csv': 'id\n1\n',
    'in/2.csv': new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]),
  })
  await project.run()
  const { stdout } = await project.cli('quarantine')
  expect(stdout).toContain('The quarantine is empty.')
  expect(stdout).toContain('among the discarded rows of a dataset: moraine discarded DATASET')
  expect((await project.cli('discarded', 'rows')).stdout).toMatch(/2\.csv/)
})
