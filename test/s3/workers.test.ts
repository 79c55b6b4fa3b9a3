import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { command } from '../support/commands.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

/*
 * Workers on a lake in a bucket: they read and write it by themselves, with credentials that they
 * find in their own environment.
 */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in') })
const orders = silver('orders', {
  from: raw, key: 'id', history: true, cursor: 'day',
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(10, 2).min(0) }),
})
const daily = gold('daily', { query: sql\`select day, count(*) as n, sum(amount) as amount from \${orders} group by day\` })
export default defineLake({ name: 'orders', datasets: [daily] })
`

const csv = (from: number, month: number) =>
  `id,day,amount\n${Array.from({ length: 300 }, (_, i) => `${from + i},2026-0${month}-0${(i % 9) + 1},${i % 50 === 7 ? -1 : i}.25`).join('\n')}\n`

const answers = [
  'SELECT count(*) AS n, sum(amount) AS s, max(day) AS d FROM silver.orders',
  'SELECT day, n, amount FROM gold.daily ORDER BY day',
  'SELECT id, day, valid_from, valid_to FROM history.orders ORDER BY id, day',
  'SELECT reasons, count(*) AS n FROM discarded.orders GROUP BY 1 ORDER BY 1',
]

withService('MinIO', [minioProgram], () => {
  let server: Server
  let folder: string
  beforeAll(async () => {
    ;({ server } = await startBuckets(['lakes']))
    folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
    await writeFile(join(folder, 'lake.ts'), lake)
  })
  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('workers make the rows of one process, and are told no credentials', async () => {
    await mkdir(join(folder, 'in'))
    const env = { ...minioKeys, MORAINE_EXTENSIONS: join(folder, 'none') }
    const roots = ['here', 'workers'].map(
      (name) => `s3://lakes/${name}?endpoint=${server.url}&region=us-east-1`,
    )
    const moraine = (root: string, ...args: string[]) =>
      command(['-C', folder, ...args], {
        ...env,
        MORAINE_ROOT: root,
        MORAINE_CACHE: join(folder, `cache-${roots.indexOf(root)}`),
      })
    for (const [i, files] of [csv(0, 1), csv(150, 2)].entries()) {
      await writeFile(join(folder, `in/${i}.csv`), files)
      const [here, workers] = roots as [string, string]
      expect(await moraine(here, 'run')).toMatchObject({ code: 0 })
      const { code, stdout, stderr } = await moraine(workers, 'run', '--engine', 'workers:2')
      expect([code, stderr]).toEqual([0, ''])
      for (const key of Object.values(minioKeys)) expect(stdout).not.toContain(key)
    }
    for (const sql of answers) {
      const [here, workers] = await Promise.all(
        roots.map((root) => moraine(root, '--json', 'query', sql)),
      )
      expect(workers?.stdout).toBe(here?.stdout)
      expect(JSON.parse(here?.stdout ?? '')).not.toEqual([])
    }
    expect(await moraine(roots[1] as string, 'verify', '--deep')).toMatchObject({ code: 0 })
  })
})
