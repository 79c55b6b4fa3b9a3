import { expect, it } from 'vitest'
import { type Asked, isAllowed } from '../../../test/support/iam/evaluate.js'
import { Resolved } from '../../../test/support/iam/resolve.js'
import { Project } from '../../../test/support/project.js'
import type { LakeState } from '../../log/commit.js'
import type { AwsDeploy } from '../options/aws.js'
import { template } from '../template/template.js'
import { olderFolders } from './older-folders.js'

/** A lake whose datasets are called as said, and whose tables lie there when they are new. */
const lakeFile = (name: string, folder: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'
const rows = silver('${name}', {
  from: bronze('${name}', { from: inbox({ format: 'jsonl' }), archive: true, keep: '7d' }),
  schema: z.object({ id: t.bigint(), amount: t.decimal(9, 2) }),
  key: 'id',
})
const other = silver('other', {
  from: bronze('other', { from: inbox({ format: 'jsonl' }) }),
  schema: z.object({ id: t.bigint() }),
  key: 'id',
})
export default defineLake({
  name: 'shop',
  datasets: [rows, other],
  folders: { silver: '${folder}' },
  deploy: aws({
    region: 'eu-central-1',
    teams: { analysts: { read: ['silver.${name}'] }, engineers: { read: ['bronze.${name}'] } },
  }),
})
`

/** Puts files where the inboxes of the lake look. */
const arrive = (project: Project, name: string, row: object) =>
  project.write({ [`lake/bronze/landing/${name}/1.jsonl`]: `${JSON.stringify(row)}\n` })

/** Of a lake that is deployed as it is now: which of these objects a role may not do that with. */
async function refusals(project: Project, state: LakeState | undefined) {
  const lake = await project.load()
  const folders = state ? olderFolders(lake, state) : new Map()
  const all = new Resolved(template(lake, lake.deploy as AwsDeploy, { olderFolders: folders }), {
    account: '123456789012',
    region: 'eu-central-1',
    url: 'https://sqs',
  })
  const bucket = all.arn('LakeBucket')
  return (role: string, action: string, paths: readonly string[]) =>
    paths.filter((path) => {
      const asked: Asked = { action, resource: `${bucket}/${path}` }
      return !isAllowed(all.statementsOf(role), asked)
    })
}

it('a job reaches what it has made under other names, and in other folders, and nothing else', async () => {
  const project = await Project.create({ 'lake.ts': lakeFile('orders', 'silver/staging') })
  await arrive(project, 'orders', { id: 1, amount: '2.50' })
  await arrive(project, 'other', { id: 1 })
  expect((await project.run()).outcome).toBe('done')
  await project.write({ 'lake.ts': lakeFile('sales', 'silver/final') })
  for (const layer of ['bronze', 'silver']) {
    const { code, stderr } = await project.cli('rename', `${layer}.orders`, `${layer}.sales`)
    expect([code, stderr]).toEqual([0, ''])
  }

  const paths = (await project.storage.list('')).map(({ path }) => path)
  const made = paths.filter((path) => /\borders\b/.test(path) && !path.startsWith('_moraine/'))
  const tables = made.filter((path) => path.startsWith('silver/staging/orders/'))
  const batches = made.filter((path) => path.startsWith('bronze/orders/'))
  expect([tables.length, batches.length]).not.toContain(0)
  expect(made.some((path) => path.startsWith('archive/orders/'))).toBe(true)
  const others = paths.filter((path) => /^(bronze|silver)\b.*\/other\//.test(path))
  expect(others.length).toBeGreaterThan(0)

  const byName = await refusals(project, undefined)
  expect(byName('BronzeSalesRole', 's3:GetObject', made)).toEqual(made)
  const refused = await refusals(project, await project.state())
  expect(refused('BronzeSalesRole', 's3:GetObject', made)).toEqual([])
  expect(refused('BronzeSalesRole', 's3:PutObject', ['silver/staging/orders/data/1'])).toEqual([])
  expect(refused('BronzeSalesRole', 's3:DeleteObject', ['bronze/orders/index/1.json'])).toEqual([])
  expect(refused('AnalystsReader', 's3:GetObject', tables)).toEqual([])
  expect(refused('EngineersReader', 's3:GetObject', batches)).toEqual([])

  // Rights to what others have made are as they were.
  expect(refused('AnalystsReader', 's3:GetObject', [...batches, ...others])).toEqual([
    ...batches,
    ...others,
  ])
  expect(refused('BronzeSalesRole', 's3:GetObject', others)).toEqual(others)
  expect(refused('BronzeOtherRole', 's3:GetObject', made)).toEqual(made)
  expect(refused('BronzeSalesRole', 's3:DeleteObject', tables)).toEqual(tables)
})

it('a lake that nobody renamed has only the folders of its names', async () => {
  const project = await Project.create({ 'lake.ts': lakeFile('orders', 'silver/staging') })
  await arrive(project, 'orders', { id: 1, amount: '2.50' })
  await project.run()
  expect(olderFolders(await project.load(), await project.state())).toEqual(new Map())
})
