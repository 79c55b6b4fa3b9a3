import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { exported } from './exported.js'

const lake = (target: string, afterRuns = true) => `
import { bronze, defineLake, folder, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.bigint(), day: t.date(), amount: t.decimal(20, 2), note: t.string().nullable(), at: t.timestamp(),
    seen: t.timestamptz(), share: t.double(), paid: t.boolean(),
  }),
  key: 'id',
  cursor: 'at',
  partitionBy: ['day'],
})
const daily = gold('daily', {
  query: sql\`select day, count(*) as orders, sum(amount) as revenue, list(id order by id) as ids, {'n': max(note)} as top, max(encode(note)) as bytes
    from \${orders} group by day\`,
})
export default defineLake({
  name: 'shop',
  datasets: [raw, daily],
  exports: [warehouse(folder(${target}), { tables: [daily, orders], afterRuns: ${afterRuns} })],
})
`

const header = 'id,day,amount,note,at,seen,share,paid\n'
const row = (id: number, day: string, note: string, at = '2026-01-01 10:00:00.123456') =>
  `${id},${day},123456789012345678.${String(id % 100).padStart(2, '0')},${note},${at},2026-01-01 12:00:00.5+02:00,0.1,true\n`
const awkward = `${header}${row(1, '2026-01-01', '"a ""quoted"", note"')}${row(2, '2026-01-01', '')}${row(3, '2026-01-02', '"two\nlines, \\ and NULL"')}${row(4, '2026-01-03', '""')}${row(5, '2026-01-03', '"=1+1"')}`

interface Manifest {
  entries: { url: string; path: string; meta: { content_length: number } }[]
  moraine: { number: number; commit: number; rows: number; files: { path: string }[] }
}

const latest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, '_latest.json'), 'utf8'))

/** Rows of the newest version, as a program reads them that knows only the manifest. */
async function rowsOf(folder: string, read: (list: string) => string, order = 'id') {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const { entries } = await latest(folder)
    const list = entries.map(({ path }) => `'${join(folder, path)}'`).join(', ')
    const sql = `select * from ${read(`[${list}]`)} order by ${order}`
    return (await connection.runAndReadAll(sql)).getRowObjectsJson()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

const parquet = (list: string) => `read_parquet(${list})`

describe('a warehouse in a folder', () => {
  it.each([
    [
      'parquet',
      "cast(id as varchar) id, cast(day as varchar) as day, cast(amount as varchar) amount, note, paid, share, cast(seen at time zone 'UTC' as varchar) seen from read_parquet(LIST)",
    ],
    [
      'csv',
      "id, day, amount, note, paid = 'true' as paid, cast(share as double) as share, cast(cast(seen as timestamptz) at time zone 'UTC' as varchar) seen from read_csv(LIST, header = true, all_varchar = true, quote = '\"', escape = '\"', allow_quoted_nulls = false)",
    ],
    [
      'jsonl',
      "id, cast(day as varchar) as day, amount, note, paid, share, cast(cast(seen as timestamptz) at time zone 'UTC' as varchar) seen from read_json(LIST, columns = {id: 'VARCHAR', day: 'VARCHAR', amount: 'VARCHAR', note: 'VARCHAR', paid: 'BOOLEAN', share: 'DOUBLE', bytes: 'VARCHAR', seen: 'VARCHAR'})",
    ],
  ])('has every value of the lake in %s', async (format, reading) => {
    const project = await Project.create({
      'lake.ts': lake(`'out', { format: '${format}' }`),
      'in/1.csv': awkward,
    })
    const ran = await project.cli('run')
    expect(ran.stdout).toContain('gold.daily → folder: daily  3 rows (first export)')
    expect(ran.code, ran.stdout).toBe(0)
    const theirs = await rowsOf(
      join(project.folder, 'out/orders'),
      (list) => `(select ${reading.replace('LIST', list)})`,
    )
    const ours = await project.query(
      "select cast(id as varchar) id, cast(day as varchar) as day, cast(amount as varchar) amount, note, paid, share, cast(seen at time zone 'UTC' as varchar) seen from silver.orders order by 1",
    )
    expect(theirs).toEqual(ours)
    expect(ours.map(({ note }) => note).slice(3)).toEqual(['', '=1+1'])
    const { entries, moraine } = await latest(join(project.folder, 'out/daily'))
    expect(moraine.rows).toBe(3)
    expect(
      entries.every(({ url, path }) => url === `file://${project.folder}/out/daily/${path}`),
    ).toBe(true)
  })

  it('writes what changed and no more, keeps what is being read, and does nothing twice', async () => {
    const many = Array.from({ length: 60 }, (_, i) =>
      row(i + 1, `2026-01-${String(1 + (i % 20)).padStart(2, '0')}`, 'n'),
    )
    const project = await Project.create({
      'lake.ts': lake("'out'"),
      'in/1.csv': header + many.join(''),
    })
    await project.cli('run')
    const folder = join(project.folder, 'out/orders')
    const first = await latest(folder)
    await project.write({
      'in/2.csv': header + row(61, '2026-01-05', 'new', '2026-02-01 00:00:00'),
    })
    const status = await project.cli('status')
    expect(status.stdout).toContain('silver.orders → folder: orders  it has the rows of commit 2')
    const ran = await project.cli('run')
    expect(ran.stdout).toMatch(/orders {2}\d rows? written of 61, as of commit 4/)
    const second = await latest(folder)
    const paths = ({ entries }: Manifest) => entries.map(({ path }) => path)
    expect(paths(second).filter((path) => !paths(first).includes(path))).toHaveLength(1)
    expect((await rowsOf(folder, parquet)).length).toBe(61)
    // Who read the first version when the second came reads on.
    for (const path of paths(first)) await readFile(join(folder, path))
    const again = await project.cli('export', '--json')
    expect(JSON.parse(again.stdout).exports.map((one: { outcome: string }) => one.outcome)).toEqual(
      ['unchanged', 'unchanged'],
    )
    expect(await readdir(join(folder, '_versions'))).toEqual(['00000001.json', '00000002.json'])
  })

  it('is as before or as after where an export is ended, and goes on with what it wrote', async () => {
    const days = (count: number, note: string, at: string) =>
      header +
      Array.from({ length: count }, (_, i) => row(i + 1, `2026-01-0${1 + (i % 4)}`, note, at)).join(
        '',
      )
    const project = await Project.create({
      'lake.ts': lake("'out'", false),
      'in/1.csv': days(8, 'n', '2026-01-01 00:00:00'),
    })
    await project.run()
    await exported(project)
    const folder = join(project.folder, 'out/orders')
    const points = [
      ['planned', 2],
      ['staged', 3],
      ['compared', 2],
      ['applied', 2],
      ['recorded', 2],
      ['done', 2],
    ] as const
    for (const [i, [point, nth]] of points.entries()) {
      const before = await rowsOf(folder, parquet)
      await project.write({
        [`in/${i + 2}.csv`]: days(8, `note ${i}`, `2026-02-0${i + 1} 00:00:00`),
      })
      await project.run()
      if (point === 'planned') {
        // Two commits: the batch, and what was made of it.
        for (const command of ['plan', 'status'])
          expect((await project.cli(command)).stdout).toContain(
            '2 commits behind, would write what changed',
          )
        const { exports } = JSON.parse((await project.cli('status', '--json')).stdout)
        expect(exports).toMatchObject([
          { behind: 2, commit: 2 },
          { behind: 2, commit: 2 },
        ])
      }
      const ended = await exported(project, point, String(nth))
      expect(ended.signal, `${point}: ${ended.stdout}`).toBe('SIGKILL')
      const left = await rowsOf(folder, parquet)
      const lakes = (await project.query('select note from silver.orders order by id')).map(
        ({ note }) => note,
      )
      const isAfter = left.every((found, at) => found.note === lakes[at])
      expect(isAfter || JSON.stringify(left) === JSON.stringify(before), point).toBe(true)
      const files = await readdir(join(folder, 'data'))
      expect((await project.cli('export')).code).toBe(0)
      expect((await rowsOf(folder, parquet)).map(({ note }) => note)).toEqual(lakes)
      // What was written whole before the end is not written once more.
      if (point === 'compared')
        expect(await readdir(join(folder, 'data'))).toHaveLength(files.length)
    }
  })

  it('is exported once where three exports come at the same time', async () => {
    const project = await Project.create({ 'lake.ts': lake("'out'", false), 'in/1.csv': awkward })
    await project.run()
    const ended = await Promise.all([exported(project), exported(project), exported(project)])
    const all = ended.map(({ stdout }) => stdout).join('')
    expect(all.match(/^exported orders/gm), JSON.stringify(ended)).toHaveLength(1)
    expect(all.match(/^unchanged orders/gm)).toHaveLength(2)
    expect(await readdir(join(project.folder, 'out/orders/_versions'))).toEqual(['00000001.json'])
  })

  it('mends what others have removed, and removes what nobody reads any more', async () => {
    const project = await Project.create({
      'lake.ts': lake("'out', { keep: '1s' }"),
      'in/1.csv': awkward,
    })
    await project.cli('run')
    const folder = join(project.folder, 'out/orders')
    const first = await latest(folder)
    const [gone] = first.entries
    await rm(join(folder, gone?.path ?? ''))
    const mended = await project.cli('export', 'orders')
    expect(mended.stdout).toContain('some of its files are gone')
    expect(await rowsOf(folder, parquet)).toHaveLength(5)
    await expect
      .poll(async () => {
        await project.cli('export', 'orders', '--full')
        return (await readdir(join(folder, '_versions'))).includes('00000002.json')
      })
      .toBe(false)
    expect(await rowsOf(folder, parquet)).toHaveLength(5)
    const left = (await readdir(join(folder, 'data'))).map((name) => `data/${name}`)
    expect(first.entries.filter(({ path }) => left.includes(path))).toEqual([])
  })

  it('refuses folders of others, what is no manifest, and a place within the lake', async () => {
    const project = await Project.create({
      'lake.ts': lake("'out'"),
      'in/1.csv': awkward,
      'out/orders/budget.xlsx': 'mine',
    })
    const ran = await project.cli('run')
    expect(ran.code).toBe(1)
    expect(ran.stdout).toContain('orders exists, and no export of Moraine has made it')
    expect(await readdir(join(project.folder, 'out/orders'))).toEqual(['budget.xlsx'])
    await rename(join(project.folder, 'out/orders'), join(project.folder, 'mine'))
    await project.cli('export')
    await writeFile(join(project.folder, 'out/orders/_versions/00000001.json'), '{}')
    const broken = await project.cli('export', '--full')
    expect(broken.stdout).toContain(
      'orders/_versions/00000001.json is not the manifest of an export',
    )
    await project.write({ 'lake.ts': lake("'lake/exports'") })
    expect((await project.cli('export')).stdout).toContain('lie within each other')
    await project.write({ 'lake.ts': lake("'gs://bucket', { format: 'xml', keep: 'long' }") })
    const { stderr, code } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain("folder(…): format must be 'parquet', 'csv' or 'jsonl'")
    await project.write({
      'lake.ts': lake("'gs://bucket', { keep: 'long', escapeFormulas: true }"),
    })
    const again = await project.cli('plan')
    expect(again.stderr).toContain("'gs://bucket' is neither a folder nor a bucket")
    expect(again.stderr).toContain("keep: 'long' is not a duration")
    expect(again.stderr).toContain('parquet has no formulas')
    expect(again.stderr).toMatch(/lake\.ts:\d+/)
  })

  it('is not replaced by another lake of the same name, but where that is asked for', async () => {
    const project = await Project.create({ 'lake.ts': lake("'out'"), 'in/1.csv': awkward })
    const folder = join(project.folder, 'out/orders')
    await project.cli('run')
    await project.write({ 'in/2.csv': `${header}${row(6, '2026-01-04', 'x')}` })
    await project.cli('run')
    const before = await latest(folder)
    const inOther = (...args: string[]) =>
      project.cli(...args, '--root', join(project.folder, 'other'))

    await rm(join(project.folder, 'in/1.csv'))
    const ran = await inOther('run')
    expect(ran.code).toBe(1)
    const told = `orders is exported by another lake that is called 'shop', too: this one never had what it has of commit ${before.moraine.commit}`
    expect(ran.stdout.replace(/\s+/g, ' ')).toContain(told)
    expect((await inOther('status')).stdout.replace(/\s+/g, ' ')).toContain(told)
    // As many commits as the first one has make it none the more the same lake.
    await project.write({ 'in/3.csv': `${header}${row(7, '2026-01-05', 'y')}` })
    expect((await inOther('run')).code).toBe(1)
    expect(await latest(folder)).toEqual(before)

    // Its own goes back and on.
    await project.cli('rollback', '--to', '1')
    await project.write({ 'in/1.csv': awkward })
    expect(await project.cli('run')).toMatchObject({ code: 0 })
    expect((await latest(folder)).moraine.number).toBe(before.moraine.number + 1)

    expect((await inOther('export', '--full')).code).toBe(0)
    expect(await rowsOf(folder, parquet)).toHaveLength(2)
    expect((await inOther('export')).stdout).toContain('it has the rows of commit')
    expect((await project.cli('export')).code).toBe(1)
  })

  it('is exported by a lake and its copies until one of them goes on, and by that one alone then', async () => {
    const project = await Project.create({ 'lake.ts': lake("'out'"), 'in/1.csv': awkward })
    const folder = join(project.folder, 'out/orders')
    await project.cli('run')
    const by = (root: string, ...args: string[]) =>
      project.cli(...args, '--root', join(project.folder, root))
    expect(await project.cli('copy', 'copied')).toMatchObject({ code: 0 })
    await cp(join(project.folder, 'lake'), join(project.folder, 'by-hand'), { recursive: true })
    const copies = ['copied', 'by-hand']
    for (const root of copies) expect(await by(root, 'export')).toMatchObject({ code: 0 })

    await project.write({ 'in/2.csv': `${header}${row(6, '2026-01-04', 'x')}` })
    expect(await project.cli('run')).toMatchObject({ code: 0 })
    const before = await latest(folder)
    const told = `orders is exported by another lake that is called 'shop', too: this one never had what it has of commit ${before.moraine.commit}`
    for (const root of copies) {
      // As far as it was copied, and once it has as many commits of its own, of the same rows.
      expect((await by(root, 'export')).stdout.replace(/\s+/g, ' ')).toContain(told)
      const ran = await by(root, 'run')
      expect(ran.code).toBe(1)
      expect(ran.stdout.replace(/\s+/g, ' ')).toContain(told)
    }
    expect(await latest(folder)).toEqual(before)
    expect(await project.cli('export')).toMatchObject({ code: 0 })
  })

  it('keeps spreadsheets from running texts, from when on that is asked for', async () => {
    const project = await Project.create({
      'lake.ts': lake("'out', { format: 'csv' }"),
      'in/1.csv': awkward,
    })
    await project.cli('run')
    const folder = join(project.folder, 'out/orders')
    const texts = async () => {
      const { entries } = await latest(folder)
      const all = entries.map(({ path }) => readFile(join(folder, path), 'utf8'))
      return (await Promise.all(all)).join('')
    }
    expect(await texts()).toContain('"=1+1"')
    await project.write({ 'lake.ts': lake("'out', { format: 'csv', escapeFormulas: true }") })
    expect((await project.cli('export', '--dry-run')).stdout).toContain('its files have formulas')
    await project.cli('export')
    expect(await texts()).toContain('"\'=1+1"')
    expect((await project.cli('export')).stdout).toContain('it has the rows of commit')
  })
})
