import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Project, repository } from '../../support/project.js'
import { until } from '../../support/until.js'

const lake = (amount: string, extra = '') => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('data/*.csv') })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: ${amount} }), key: 'id' })
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as total ${extra} from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [total] })
`

const csv = (rows: number) =>
  `id,amount\n${Array.from({ length: rows }, (_, i) => `${i},${i % 10}`).join('\n')}\n`

/** `moraine dev`, and what it has said since it was last asked. */
class Dev {
  private text = ''

  constructor(readonly child: ChildProcess) {
    onTestFinished(() => void child.kill('SIGKILL'))
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        this.text += chunk
      })
  }

  /**
   * What it says between two times that it waits, once it says that; a slow machine may see one
   * save twice, or half of it.
   */
  async round(says: RegExp): Promise<string> {
    for (;;) {
      const said = await this.next()
      if (says.test(said)) return said
    }
  }

  private async next(): Promise<string> {
    const at = () => this.text.indexOf('Waiting for changes')
    await until(
      () => `it waits:\n${this.text}`,
      () => at() >= 0,
      this.child,
    )
    const said = this.text.slice(0, at())
    this.text = this.text.slice(at() + 30)
    return said
  }
}

/** `moraine dev` in a project. */
const started = (project: Project, ...args: string[]) =>
  new Dev(
    spawn(
      process.execPath,
      [join(repository, 'bin/moraine.js'), '-C', project.folder, 'dev', ...args],
      {
        env: { ...process.env, NO_COLOR: '1' },
      },
    ),
  )

it('shows on each save what a definition does, and keeps what was good', async () => {
  const project = await Project.create({
    'lake.ts': lake('t.int()'),
    'data/1.csv': csv(200),
  })
  const dev = started(project, '--sample', '50')
  const first = await dev.round(/ingest {3}bronze\.orders/)
  expect(first).toMatch(/silver\.orders {2}50 rows in = 50 kept/)
  expect(first).toMatch(/gold\.total\nn +total\n─+ +─+\n50 +225/)
  // The real lake is not touched.
  expect(existsSync(join(project.folder, 'lake'))).toBe(false)

  await project.write({ 'lake.ts': lake('t.int()', ', nothing as x') })
  const broken = await dev.round(/gold\.total: Referenced column "nothing" not found/)
  expect(broken).toMatch(/The previous build is still in place\./)
  expect(broken).toMatch(/> 6 │ const total/)

  await project.write({ 'lake.ts': 'export default 1 +' })
  await dev.round(/Unexpected end of file/)

  await project.write({ 'lake.ts': lake('t.int().max(4)', ', max(amount) as most') })
  const mended = await dev.round(/column 'amount' is read or checked differently/)
  expect(mended).toMatch(/silver\.orders {2}50 rows in = 25 kept \+ 25 discarded/)
  expect(mended).toMatch(/n +total +most\n─+ +─+ +─+\n25 +50 +4/)

  await project.write({ 'data/2.csv': csv(3).replace('0,0', '1000,1') })
  await dev.round(/silver\.orders {2}3 rows in/)
  dev.child.kill('SIGINT')
  expect(await new Promise((done) => dev.child.once('exit', done))).toBe(0)
})

it('exports nothing: warehouses have the rows of the real lake', async () => {
  const exporting = lake('t.int()')
    .replace('bronze, defineLake', 'bronze, defineLake, folder, warehouse')
    .replace('[total] })', "[total], exports: [warehouse(folder('out'), { tables: [orders] })] })")
  const project = await Project.create({ 'lake.ts': exporting, 'data/1.csv': csv(200) })
  expect((await project.cli('run')).stdout).toContain('200 rows (first export)')
  const bin = join(repository, 'bin/moraine.js')
  const dev = new Dev(
    spawn(process.execPath, [bin, '-C', project.folder, 'dev', '--sample', '50'], {
      env: { ...process.env, NO_COLOR: '1' },
    }),
  )
  await dev.round(/silver\.orders {2}50 rows in = 50 kept/)
  dev.child.kill('SIGINT')
  await new Promise((done) => dev.child.once('exit', done))
  const exported = join(project.folder, 'out/orders/_latest.json')
  expect(JSON.parse(await readFile(exported, 'utf8')).moraine).toMatchObject({ rows: 200 })
})

it('is refused on another engine, with the command that does it', async () => {
  const project = await Project.create({ 'lake.ts': lake('t.int()') })
  const { code, stderr } = await project.cli('dev', '--engine', 'workers:2')
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('moraine run --root ./lake-dev --engine workers:2'),
  ])
})

it('changes nothing beside its own lake: no warehouse is filled, no inbox emptied', async () => {
  const project = await Project.create({
    'lake.ts': `
      import { bronze, defineLake, folder, silver, t, warehouse, z } from 'moraine'
      import { inbox } from 'moraine/sources'
      const raw = bronze('orders', { from: inbox({ path: 'drop', settle: '0ms' }) })
      const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
      const reports = warehouse(folder('reports'), { tables: [orders] })
      export default defineLake({ name: 'shop', datasets: [orders], exports: [reports] })
    `,
    'drop/1.csv': 'id\n1\n2\n',
    'lake-dev/sample-1/bronze/landing/orders/1.csv': 'id\n7\n8\n',
  })
  const dev = started(project, '--sample', '1')
  const said = await dev.round(/silver\.orders {2}1 row in = 1 kept/)
  expect(said).toMatch(
    /bronze\.orders: its inbox stays as it is; put files to try into .*lake-dev\/sample-1\/bronze\/landing\/orders/,
  )
  dev.child.kill('SIGINT')
  expect(await new Promise((done) => dev.child.once('exit', done))).toBe(0)
  expect(existsSync(join(project.folder, 'reports'))).toBe(false)
  // The real lake has them, and what it exports.
  const { steps, exports = [] } = await project.run()
  expect(steps.map(({ rows }) => rows)).toEqual([2, 2])
  expect(exports).toMatchObject([{ outcome: 'exported', rows: 2 }])
})

it.each(['lake', 'prod'])('does not build samples in the lake itself: --root %s', async (root) => {
  const project = await Project.create({
    'lake.ts': lake('t.int()').replace(
      "name: 'shop',",
      "name: 'shop', environments: { prod: { root: 'prod' } },",
    ),
    'data/1.csv': csv(3),
  })
  const dev = started(project, '--sample', '1', '--root', root)
  await dev.round(new RegExp(`moraine dev tries things, and .*/${root} is the lake of`))
  dev.child.kill('SIGINT')
  expect(await new Promise((done) => dev.child.once('exit', done))).toBe(0)
  expect(existsSync(join(project.folder, root))).toBe(false)
})
