import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { quarantinedIn } from '../../src/log/quarantined.js'
import { type Landed, Landing } from '../../src/run/landing.js'
import { FAILURE, POISON, runPoisoned } from '../support/poison.js'
import { Project, step } from '../support/project.js'

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

/** Ways in which objects come one by one: each brings a row, some of them one that can't be read. */
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
    // It comes again three times in all; then it stays, until somebody says what is to become of it.
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
