import { readFile, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareNames } from '../../../src/source/files/exports.js'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/** A lake of customers whose exports each hold everything. */
const lakeOf = (
  files: Record<string, string>,
  source = "files('in/*.csv', { full: true })",
  bronze = '',
  silver = '',
) =>
  Project.create({
    ...files,
    'lake.ts': `
import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('customers', { from: ${source}${bronze} })
const customers = silver('customers', {
  from: raw, schema: z.object({ id: t.int(), name: z.string().nullable() }), key: 'id'${silver},
})
export default defineLake({ name: 'crm', datasets: [customers] })
`,
  })

const csv = (...ids: (number | string)[]) =>
  `id,name\n${ids.map((id) => `${id},n${id}\n`).join('')}`
const range = (n: number) => Array.from({ length: n }, (_, i) => i)

const idsIn = async (project: Project) =>
  (await project.query('SELECT id FROM silver.customers ORDER BY id')).map(({ id }) => id)

const good = async (project: Project, options = {}) => {
  const record = await project.run(options)
  expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
  return record
}

describe('files that each hold everything', () => {
  it('may be empty, which is said once', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(1) })
    await good(project)
    await project.write({ 'in/2.csv': 'id,name\n' })
    expect(step(await good(project), 'bronze.customers').reason).toBe('in/2.csv has no rows')
    expect(await idsIn(project)).toEqual([])
  })

  it('are not half taken in where a file of one is damaged, and the next one is read instead', async () => {
    const project = await lakeOf(
      { 'in/1/a.csv': csv(1), 'in/1/b.csv': csv(2) },
      "files('in/*/*', { full: { by: 'folder' } })",
    )
    await good(project)
    await project.write({
      'in/2/a.csv': csv(1, 3),
      'in/2/b.csv.gz': gzipSync(csv(2)).subarray(0, 20),
    })
    const { error } = step(await project.run(), 'bronze.customers')
    expect(error?.message).toContain('in/2/b.csv.gz')
    expect(error?.hint).toContain('the previous rows are kept')
    expect(await idsIn(project)).toEqual([1, 2])
    await project.write({ 'in/3/a.csv': csv(1, 3), 'in/3/b.csv': csv(2) })
    await good(project)
    expect(await idsIn(project)).toEqual([1, 2, 3])
  })

  it('are read as the newest of them: what is gone from it is gone, and its discarded rows count once', async () => {
    const project = await lakeOf({
      'in/export-2.csv': csv(1, 2, 'x'),
      'in/export-10.csv': csv(1, 3, 'x'),
      'in/export-9.csv': csv(9),
    })
    const first = await good(project)
    expect(step(first, 'bronze.customers').reason).toBe(
      'in/export-10.csv is a full extract, the newest of 3 extracts',
    )
    expect(await idsIn(project)).toEqual([1, 3])
    await project.write({ 'in/export-11.csv': csv(1, 4, 'x') })
    await good(project)
    expect(await idsIn(project)).toEqual([1, 4])
    expect((await project.state()).tables['silver.customers']?.counts).toMatchObject({
      in: 3,
      kept: 2,
      discarded: 1,
    })
    expect(await project.query('SELECT count(*) AS n FROM discarded.customers')).toEqual([
      { n: 1n },
    ])
    const again = await good(project)
    expect(step(again, 'bronze.customers').reason).toBe('in/export-11.csv was ingested before')
  })

  it('one file that is written anew is an export each time', async () => {
    const project = await lakeOf({ 'in/all.csv': csv(1, 2) })
    await good(project)
    await project.write({ 'in/all.csv': csv(2, 3, 4) })
    await good(project)
    expect(await idsIn(project)).toEqual([2, 3, 4])
  })

  it('with the same content as before change nothing; older ones never come back', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(1), 'in/2.csv': csv(1, 2) })
    await good(project)
    await project.write({ 'in/3.csv': csv(1, 2) })
    const same = await good(project)
    expect(step(same, 'bronze.customers')).toMatchObject({
      outcome: 'unchanged',
      reason: 'in/3.csv has the same content as in/2.csv',
    })
    await rm(join(project.folder, 'in/3.csv'))
    const older = await good(project)
    expect(step(older, 'bronze.customers').reason).toBe(
      'in/3.csv was ingested before, and no newer one is available',
    )
    await rm(join(project.folder, 'in'), { recursive: true })
    const gone = step(await project.run(), 'bronze.customers')
    expect(gone.error?.message).toMatch(/There is no file at .* any more/)
    expect(await idsIn(project)).toEqual([1, 2])
  })

  it('by the time of their files, where names do not tell', async () => {
    const project = await lakeOf(
      { 'in/b.csv': csv(1), 'in/a.csv': csv(2) },
      "files('in/*.csv', { full: { newest: 'modified' } })",
    )
    await utimes(join(project.folder, 'in/b.csv'), 1_700_000_000, 1_700_000_000)
    await good(project)
    expect(await idsIn(project)).toEqual([2])
  })

  it.each([
    [
      'a folder',
      "files('in', { full: { by: 'folder' } })",
      (day: string, part: string) => `in/${day}/${part}.csv`,
    ],
    [
      'a date',
      "files('in/*.csv', { full: { by: /\\d{4}-\\d\\d-\\d\\d/g } })",
      (day: string, part: string) => `in/${part}-${day}.csv`,
    ],
  ])('or together: those of %s', async (_, source, path) => {
    const project = await lakeOf(
      {
        [path('2026-01-31', 'a')]: csv(1),
        [path('2026-01-31', 'b')]: csv(2),
        [path('2026-02-01', 'a')]: csv(3),
      },
      source,
    )
    await good(project)
    expect(await idsIn(project)).toEqual([3])
    // A part that comes late belongs to its export.
    await project.write({ [path('2026-02-01', 'b')]: csv(4) })
    await good(project)
    expect(await idsIn(project)).toEqual([3, 4])
    await project.write({ [path('2026-01-31', 'c')]: csv(5) })
    expect(step(await good(project), 'bronze.customers').outcome).toBe('unchanged')
  })

  it('that shrink are held back without being read again, until they are accepted', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(...range(100)) })
    await good(project)
    await project.write({ 'in/2.csv': csv(...range(10)) })
    for (const _ of [1, 2])
      expect(step(await project.run(), 'bronze.customers')).toMatchObject({
        outcome: 'held',
        held: { rows: 10, before: 100 },
      })
    expect(await idsIn(project)).toHaveLength(100)
    // The next export may be well again.
    await project.write({ 'in/3.csv': csv(...range(90)) })
    await good(project)
    expect(await idsIn(project)).toHaveLength(90)
    await project.write({ 'in/4.csv': 'id,name\n' })
    expect(step(await project.run(), 'bronze.customers').held).toEqual({ rows: 0, before: 90 })
    await good(project, { acceptShrink: ['customers'] })
    expect(await idsIn(project)).toEqual([])
    await project.write({ 'in/5.csv': csv(7) })
    await good(project)
    expect(await idsIn(project)).toEqual([7])
  })

  it('with other columns than before are told, or refused where that is said', async () => {
    for (const drift of ['evolve', 'freeze']) {
      const source = `files('in/*.csv', { full: true, drift: '${drift}' })`
      const project = await lakeOf({ 'in/1.csv': csv(1) }, source)
      await good(project)
      await project.write({ 'in/2.csv': 'id,name,city\n2,b,Rome\n' })
      const record = await project.run()
      expect(record.outcome).toBe(drift === 'freeze' ? 'failed' : 'done')
      expect(await idsIn(project)).toEqual([drift === 'freeze' ? 1 : 2])
      if (drift === 'evolve')
        expect(step(record, 'bronze.customers').notes).toContain(
          "column 'city' is new, in in/2.csv",
        )
    }
  })

  it('that can not be read leave what was there', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(1) })
    await good(project)
    await project.write({ 'in/2.csv': 'id;name\n1;a\n2;b\n' })
    expect((await project.run()).outcome).toBe('failed')
    expect(await idsIn(project)).toEqual([1])
  })

  it('and a rollback: what was taken in since is taken in again', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(1) })
    await good(project)
    const { number } = await project.state()
    await project.write({ 'in/2.csv': csv(2) })
    await good(project)
    expect((await project.cli('rollback', '--to', String(number))).code).toBe(0)
    expect(await idsIn(project)).toEqual([1])
    await good(project)
    expect(await idsIn(project)).toEqual([2])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('and keep: old exports go, the one that there is stays, and tables can be built from it', async () => {
    const project = await lakeOf({ 'in/1.csv': csv(1) }, undefined, ", keep: '7d'")
    await good(project)
    await project.write({ 'in/2.csv': csv(2) })
    const days = (n: number) => () => new Date(Date.now() + n * 86_400_000)
    await good(project)
    await good(project, { now: days(30) })
    await good(project, { now: days(60) })
    expect((await project.state()).batches['bronze.customers']).toHaveLength(1)
    await good(project, { now: days(61), full: true })
    expect(await idsIn(project)).toEqual([2])
    await project.write({ 'in/3.csv': csv(3) })
    await good(project, { now: days(62) })
    expect(await idsIn(project)).toEqual([3])
  })

  it('discarded rows of the newest can be judged again, and those alone', async () => {
    const rule = ", rules: [rule('small', sql`id <= 2`)]"
    const exports = { 'in/1.csv': csv(1, 3, 4), 'in/2.csv': csv(1, 3, 9) }
    const project = await lakeOf(exports, undefined, '', rule)
    await good(project)
    expect(await idsIn(project)).toEqual([1])
    const path = join(project.folder, 'lake.ts')
    await project.write({ 'lake.ts': (await readFile(path, 'utf8')).replace('id <= 2', 'id <= 5') })
    await good(project, { replay: { dataset: 'silver.customers' } })
    expect(await idsIn(project)).toEqual([1, 3])
    const { counts } = (await project.state()).tables['silver.customers'] ?? {}
    expect(counts).toMatchObject({ in: 3, kept: 2, discarded: 1 })
  })

  it('what reads them beside silver sees no row of an earlier one', async () => {
    const project = await Project.create({
      'in/1.csv': csv(1, 2, 3),
      'orders.csv': 'id,customer\n10,1\n11,3\n',
      'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('customers', { from: files('in/*.csv', { full: true }) })
const orders = silver('orders', {
  from: bronze('orders', { from: files('orders.csv') }),
  schema: z.object({ id: t.int(), name: z.string().nullable() }), key: 'id',
  select: { name: sql\`(select r.name from \${raw} as r where r.id = customer)\` },
})
const all = gold('all_names', { query: sql\`select count(*) as n from \${raw}\` })
const parts = gold('by_name', {
  query: sql\`select name, count(*) as n from \${raw} group by name\`, incremental: { by: 'name' },
})
export default defineLake({ name: 'crm', datasets: [orders, all, parts] })
`,
    })
    await good(project)
    await project.write({ 'in/2.csv': csv(3, 4) })
    await good(project)
    expect(await project.query('SELECT id, name FROM silver.orders ORDER BY id')).toEqual([
      { id: 10, name: null },
      { id: 11, name: 'n3' },
    ])
    expect(await project.query('SELECT n FROM gold.all_names')).toEqual([{ n: 2n }])
    expect(await project.query('SELECT * FROM gold.by_name ORDER BY name')).toEqual([
      { name: 'n3', n: 1n },
      { name: 'n4', n: 1n },
    ])
  })

  it('in whatever order they come, silver has what the newest has', async () => {
    const ids = fc.uniqueArray(fc.nat(30), { maxLength: 12 })
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), ids), {
      minLength: 1,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(steps, async (exports) => {
        const project = await lakeOf({})
        const there = new Map<number, number[]>()
        let newest = 0
        for (const [number, rows] of exports) {
          there.set(number, rows)
          newest = Math.max(newest, number)
          await project.write({ [`in/export-${number}.csv`]: csv(...rows) })
          await good(project)
          const expected = [...(there.get(newest) ?? [])].sort((a, b) => a - b)
          expect(await idsIn(project)).toEqual(expected)
        }
      }),
      { seed, numRuns: amount(2, 6) },
    )
  })
})

describe('names of exports', () => {
  it('are ordered as people count, whatever they are', () => {
    expect(['e-10', 'e-9', 'e', 'e-9b', 'e-09'].sort(compareNames)).toEqual([
      'e',
      'e-09',
      'e-9',
      'e-9b',
      'e-10',
    ])
    const name = fc.stringMatching(/^[a-z0-9._-]{0,8}$/)
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        expect(Math.sign(compareNames(a, b))).toBe(-Math.sign(compareNames(b, a)) || 0)
        expect(compareNames(a, b) === 0).toBe(a === b)
        if (compareNames(a, b) < 0 && compareNames(b, c) < 0)
          expect(compareNames(a, c)).toBeLessThan(0)
      }),
      { seed },
    )
  })
})

describe('a definition of full exports that can not work', () => {
  it.each([
    [
      'a history',
      "files('in', { full: true })",
      ", cursor: 'id', history: true",
      'cannot have a history',
    ],
    [
      'a history of a table that is read as a whole',
      "postgres({ url: 'postgres://localhost/x' }).table('customers', { key: 'id' })",
      ", cursor: 'id', history: true",
      'cannot have a history',
    ],
    [
      'a history of an API that is read as a whole',
      "http('https://x.example/customers')",
      ", cursor: 'id', history: true",
      'cannot have a history',
    ],
    [
      'a share without them',
      "files('in', { maxShrink: 0.2 })",
      '',
      'maxShrink applies to full extracts',
    ],
    ['a way that there is not', "files('in', { full: { by: 'day' } } as any)", '', 'by must be'],
    ['an inbox', 'inbox({ full: true } as any)', '', "has no option 'full'"],
  ])('is refused: %s', async (_, source, silver, message) => {
    const project = await lakeOf({}, source, '', silver)
    const file = `import { http, inbox, postgres } from 'moraine/sources'\n`
    const path = join(project.folder, 'lake.ts')
    await project.write({ 'lake.ts': file + (await readFile(path, 'utf8')) })
    const error = await project.load().catch((error) => String(error.message))
    expect(error).toContain(message)
  })

  it('a pattern that finds nothing in a name says which', async () => {
    const project = await lakeOf({ 'in/all.csv': csv(1) }, "files('in', { full: { by: /\\d+/ } })")
    expect(step(await project.run(), 'bronze.customers').error?.message).toContain(
      'in/all.csv: /\\d+/ matches nothing',
    )
  })
})
