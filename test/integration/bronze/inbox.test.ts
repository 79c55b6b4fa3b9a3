import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Project, step } from '../../support/project.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '50ms' }), archive: true })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2).min(0), changed: t.timestamp() }),
  key: 'id', cursor: 'changed',
})
export default defineLake({ name: 'shop', datasets: [orders] })
`

const csv = (...rows: string[]) => ['id,amount,changed', ...rows, ''].join('\n')

async function drop(project: Project, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(project.folder, 'lake/bronze/landing/orders', name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
}

const landed = async (project: Project) => {
  const folder = join(project.folder, 'lake/bronze/landing/orders')
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}

const rows = (project: Project) =>
  project.query('SELECT id, CAST(amount AS VARCHAR) AS amount FROM silver.orders ORDER BY id')

describe('a folder into which files are dropped', () => {
  it('is empty afterwards; each file is kept in the archive as it came, read-only', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    const first = csv('1,10.00,2026-01-01 10:00:00', '2,-5,2026-01-01 10:00:00')
    await drop(project, 'a.csv', first)
    await drop(project, 'b.jsonl', '{"id":3,"amount":7.5,"changed":"2026-01-01 11:00:00"}\n')
    await drop(project, 'sub/c.csv.gz', gzipSync(csv('1,12.00,2026-01-02 10:00:00')))
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(await rows(project)).toEqual([
      { id: 1, amount: '12.00' },
      { id: 3, amount: '7.50' },
    ])
    expect(await landed(project)).toEqual([])
    const archived = (await project.storage.list('archive/orders/')).filter(({ path }) =>
      path.includes('/files/'),
    )
    const name = ({ path }: { path: string }) => path.replace(/.*\/[0-9a-f]{16}-/, '')
    expect(archived.map(name).sort()).toEqual(['a.csv', 'b.jsonl', 'c.csv.gz'])
    const found = archived.find((file) => name(file) === 'a.csv')?.path ?? ''
    const path = join(project.folder, 'lake', found)
    expect(await readFile(path, 'utf8')).toBe(first)
    expect((await stat(path)).mode & 0o222).toBe(0)
    const [discarded] = await project.query(
      'SELECT reasons, _source_file, _source_line FROM discarded.orders',
    )
    expect(discarded).toEqual({
      reasons: ['amount: must be at least 0'],
      _source_file: 'a.csv',
      _source_line: 3n,
    })
    expect((await project.run()).steps.map(({ outcome }) => outcome)).toEqual([
      'unchanged',
      'unchanged',
    ])
  })

  it('takes what comes twice once, and another file of the same name as well', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    const first = csv('1,10.00,2026-01-01 10:00:00')
    await drop(project, 'a.csv', first)
    await project.run()
    await drop(project, 'a.csv', first)
    const again = await project.run()
    expect(step(again, 'bronze.orders').reason).toBe(
      'a.csv arrived again and was ingested only once',
    )
    expect(await landed(project)).toEqual([])
    await drop(project, 'a.csv', csv('2,1.00,2026-01-01 10:00:00'))
    await project.run()
    expect(
      await project.query('SELECT DISTINCT _source_file FROM bronze.orders ORDER BY 1'),
    ).toEqual([
      { _source_file: 'a.csv' },
      {
        _source_file: `a.csv@${createHash('sha256').update(csv('2,1.00,2026-01-01 10:00:00')).digest('hex').slice(0, 8)}`,
      },
    ])
    expect((await rows(project)).length).toBe(2)
  })

  it('discards files as a whole that can not be read, and takes the others', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    const packed = gzipSync(csv('9,1.00,2026-01-01 10:00:00').repeat(50))
    await drop(project, 'cut.csv.gz', packed.subarray(0, packed.length - 20))
    await drop(project, 'empty.csv', '')
    await drop(project, 'table.parquet', 'this is no parquet')
    await drop(project, 'wrong.csv', 'a;b\n1;2\n')
    await execFileSync('python3', [
      '-c',
      `import zipfile,sys
z=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED); z.writestr('in.csv','id,amount,changed\\n7,1.00,2026-01-01 10:00:00\\n'); z.close()
b=bytearray(open(sys.argv[1],'rb').read()); b[6]|=1; i=b.find(b'PK\\x01\\x02'); b[i+8]|=1; open(sys.argv[1],'wb').write(b)`,
      join(project.folder, 'lake/bronze/landing/orders/locked.zip'),
    ])
    await drop(project, 'z.csv', csv('1,10.00,2026-01-01 10:00:00'))
    const record = await project.run()
    expect(record.steps.map(({ error }) => error)).toEqual([undefined, undefined])
    expect(await rows(project)).toEqual([{ id: 1, amount: '10.00' }])
    expect(await landed(project)).toEqual([])
    const found = await project.query(
      'SELECT _source_file AS file, reasons[1] AS reason, raw FROM discarded.orders ORDER BY 1',
    )
    expect(found.map(({ file }) => file)).toEqual([
      'cut.csv.gz',
      'empty.csv',
      'locked.zip/in.csv',
      'table.parquet',
      'wrong.csv',
    ])
    expect(found.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^file: can't be unpacked/),
      'file: is empty: it does not even have a header',
      expect.stringMatching(/^file: .*encrypt/),
      expect.stringMatching(/^file: /),
      expect.anything(),
    ])
    expect(String(found[0]?.raw)).toMatch(/^the whole file, kept at archive\/orders\//)
    const [counts] = await project.query('SELECT count(*) AS n FROM bronze.orders')
    expect(counts?.n).toBe(6n)
  })

  it('leaves a file that is still being written, whoever pauses however long', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    await drop(project, 'done.csv', csv('1,10.00,2026-01-01 10:00:00'))
    const path = join(project.folder, 'lake/bronze/landing/orders/slow.csv')
    const program =
      "fs.writeSync(fs.openSync(process.argv[1], 'w'), 'id,amount,changed\\n2,1.00,'); setInterval(() => {}, 1e6)"
    const writer = spawn(process.execPath, ['-e', program, path])
    onTestFinished(() => void writer.kill('SIGKILL'))
    while (!(await stat(path).catch(() => undefined))?.size)
      await new Promise((r) => setTimeout(r, 20))
    await new Promise((r) => setTimeout(r, 200))
    const record = await project.run()
    expect(step(record, 'bronze.orders').notes).toContain('1 file is still being written')
    expect((await rows(project)).length).toBe(1)
    expect(await landed(project)).toEqual(['slow.csv'])
    writer.kill('SIGKILL')
    await new Promise((r) => writer.once('close', r))
    await appendFile(path, '2026-01-01 10:00:00\n')
    await project.run()
    expect((await rows(project)).length).toBe(2)
  })

  it('follows no link, and takes no file that is named as unfinished', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'secret.csv': csv('99,1.00,2026-01-01 10:00:00'),
    })
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00'))
    await drop(project, 'b.csv.part', csv('2,10.00,2026-01-01 10:00:00'))
    await drop(project, '.c.csv', csv('3,10.00,2026-01-01 10:00:00'))
    await symlink(
      join(project.folder, 'secret.csv'),
      join(project.folder, 'lake/bronze/landing/orders/l.csv'),
    )
    await project.run()
    expect(await rows(project)).toEqual([{ id: 1, amount: '10.00' }])
  })

  it('has nothing to do before the first file, and says so', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    const record = await project.run()
    expect(record.steps.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['unchanged', 'no files have arrived'],
      ['unchanged', 'bronze.orders has no data yet'],
    ])
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00'))
    expect(step(await project.run(), 'silver.orders').rows).toBe(1)
  })

  it('takes what a killed run had claimed', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    await drop(project, `.taken/nowhere-1-abcd/sub/a.csv`, csv('1,10.00,2026-01-01 10:00:00'))
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(await project.query('SELECT _source_file FROM bronze.orders')).toEqual([
      { _source_file: 'sub/a.csv' },
    ])
    expect(await landed(project)).toEqual([])
  })
})

describe('moraine rebuild --from archive', () => {
  const all = async (project: Project) => [
    await project.query('SELECT * FROM silver.orders ORDER BY id'),
    await project.query(
      'SELECT * FROM discarded.orders ORDER BY _batch, _source_file, _source_line',
    ),
    await project.query('SELECT * FROM bronze.orders ORDER BY _batch, _source_file, _source_line'),
    (await project.state()).tables['silver.orders']?.counts,
  ]

  it('gives the same rows, column by column, when bronze is gone', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    await drop(
      project,
      'a.csv',
      csv('1,10.00,2026-01-01 10:00:00', '2,-5,2026-01-01 10:00:00', '3'),
    )
    await project.run()
    const packed = gzipSync(csv('9,1.00,2026-01-01 10:00:00').repeat(50))
    await drop(project, 'cut.csv.gz', packed.subarray(0, packed.length - 20))
    await drop(project, 'b.jsonl', '{"id":1,"amount":7.5,"changed":"2026-01-01 11:00:00"}\n')
    await project.run()
    await drop(project, 'a.csv', csv('4,10.00,2026-01-01 10:00:00'))
    await project.run()
    const before = await all(project)
    expect(before[3]).toEqual({ in: 6, kept: 2, discarded: 3, superseded: 1 })
    await rm(join(project.folder, 'lake/bronze/orders'), { recursive: true })
    for (let times = 0; times < 2; times++) {
      const { code, stdout, stderr } = await project.cli('rebuild', 'orders', '--from', 'archive')
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain('bronze.orders  6 rows of 4 files in 3 batches from the archive')
      expect(await all(project)).toEqual(before)
    }
    // What the commits before refer to is gone, and stays so.
    expect((await project.cli('verify', '--deep', '--head')).code).toBe(0)
    expect((await project.cli('run')).stdout).toContain(
      'silver.orders  its inputs have not changed',
    )
  })

  it('changes nothing when the archive was tampered with', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00'))
    await project.run()
    const before = await all(project)
    const [file] = (await project.storage.list('archive/orders/')).filter(({ path }) =>
      path.endsWith('.csv'),
    )
    const path = join(project.folder, 'lake', file?.path ?? '')
    await chmod(path, 0o644)
    await writeFile(path, csv('1,99.00,2026-01-01 10:00:00'))
    const { code, stderr } = await project.cli('rebuild', 'orders', '--from', 'archive')
    expect(code).toBe(1)
    expect(stderr).toContain('a.csv differs from what was archived')
    expect(await all(project)).toEqual(before)
    expect((await project.cli('verify', '--deep')).code).toBe(1)
  })

  const withLookup = () => `
import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const known = silver('shops', {
  from: bronze('shops', { from: files('shops.csv') }),
  schema: z.object({ shop: t.int() }),
  key: 'shop',
})
const orders = silver('orders', {
  from: bronze('orders', { from: inbox({ settle: '50ms' }), archive: true }),
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2).min(0), changed: t.timestamp() }),
  rules: [rule('shop is known', sql\`id in (select shop from \${known})\`)],
  key: 'id', cursor: 'changed',
})
const days = gold('days', { query: sql\`select changed::date as day, count(*) as n from \${orders} group by 1\` })

export default defineLake({ name: 'shop', datasets: [orders, days] })
`

  it('leaves what it only looks up as it is, and says so', async () => {
    const project = await Project.create({ 'lake.ts': withLookup(), 'shops.csv': 'shop\n1\n2\n' })
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00', '7,5,2026-01-01 10:00:00'))
    await project.run()
    const before = [...(await all(project)), await project.query('from gold.days')]
    const shops = (await project.state()).tables['silver.shops']
    await rm(join(project.folder, 'lake/bronze/orders'), { recursive: true })
    const { code, stdout, stderr } = await project.cli('rebuild', 'orders', '--from', 'archive')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('bronze.shops is not archived, so it is unchanged')
    expect([...(await all(project)), await project.query('from gold.days')]).toEqual(before)
    expect((await project.state()).tables['silver.shops']).toEqual(shops)
    // What nothing of is archived can't be made anew.
    const other = await project.cli('rebuild', 'shops', '--from', 'archive')
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('bronze.shops is not archived'),
    ])
  })

  it('changes nothing where a table that reads it can not be built', async () => {
    const project = await Project.create({ 'lake.ts': withLookup(), 'shops.csv': 'shop\n1\n2\n' })
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00'))
    await project.run()
    const { number } = await project.state()
    await project.write({ 'lake.ts': withLookup().replace('count(*) as n', 'sum(amonut) as n') })
    const { code, stderr } = await project.cli('rebuild', 'orders', '--from', 'archive')
    expect([code, stderr]).toEqual([2, expect.stringContaining('amonut')])
    expect((await project.state()).number).toBe(number)
  })
})
