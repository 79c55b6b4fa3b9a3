import { expect, it } from 'vitest'
import { faultsOf } from '../../../test/support/cloudformation.js'
import {
  bronze,
  cron,
  defineLake,
  folder,
  type Gold,
  gold,
  redshift,
  silver,
  sql,
  t,
  warehouse,
  z,
} from '../../index.js'
import { type Job, jobsOf } from '../../plan/jobs.js'
import { inbox, secret } from '../../source/index.js'
import { aws, template } from '../index.js'
import { rightsOf } from './jobs/rights.js'

/** A lake like the orders example, in few words. */
function orders(options: Partial<Parameters<typeof aws>[0]> = {}) {
  const raw = bronze('orders', { from: inbox({ format: 'jsonl' }), archive: true })
  const valid = silver('orders', {
    from: raw,
    schema: z.object({ id: t.bigint(), amount: t.decimal(12, 2) }),
    key: 'id',
  })
  const total = gold('total', { query: sql`select sum(amount) as total from ${valid}` })
  const deploy = aws({ region: 'eu-central-1', ...options })
  return { lake: defineLake({ name: 'orders', deploy, datasets: [total] }), deploy }
}

const resourcesOf = ({ lake, deploy }: ReturnType<typeof orders>) =>
  Object.assign({}, ...template(lake, deploy).stacks.map((one) => one.template.Resources))

it('makes what holds data and the code first, and then what runs it', () => {
  const { lake, deploy } = orders()
  const made = template(lake, deploy)
  expect(faultsOf(made)).toEqual([])
  expect(made.stacks.map(({ name, phase, parameters }) => [name, phase, parameters])).toEqual([
    ['orders-base', 'base', []],
    ['orders', 'rest', ['CodeKey']],
  ])
})

it('keeps all that holds data when a stack goes, and the key with it', () => {
  const resources = resourcesOf(orders())
  for (const id of ['Key', 'LakeBucket', 'LogBucket', 'LakeBucketPolicy'])
    expect(resources[id]).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' })
})

it('never has values of secrets in a template', () => {
  const secrets = { SHOP_URL: 'shop/database#url' }
  const resources = resourcesOf(orders({ secrets }))
  expect(resources.BronzeOrdersFunction.Properties.Environment.Variables).toMatchObject({
    MORAINE_SECRETS: '{"SHOP_URL":"shop/database#url"}',
  })
  expect(JSON.stringify(resources)).toContain(':secret:shop/database-??????')
})

it('lets a function write where its job exports to, and read all tables of these warehouses', () => {
  const { lake: plain, deploy } = orders()
  const [total] = plain.datasets.filter(({ tier }) => tier === 'gold') as Gold[]
  const other = gold('other', { query: sql`select 1 as one`, schedule: cron('0 4 * * *') })
  const files = folder('s3://reports/shop')
  const lake = defineLake({
    name: 'orders',
    deploy,
    datasets: [total as Gold, other],
    exports: [
      warehouse(files, { tables: [total as Gold, other] }),
      warehouse(redshift({ url: secret('env:URL'), via: 's3://exchange/' }), {
        tables: [total as Gold],
      }),
      warehouse(folder('s3://by-hand/shop'), {
        name: 'hand',
        tables: [total as Gold],
        afterRuns: false,
      }),
    ],
  })
  const jobs = jobsOf(lake)
  const rights = (name: string) =>
    rightsOf(lake, deploy, jobs.find((job) => job.name === name) as Job)
  const places = ['s3://exchange/', 's3://reports/shop/']
  expect(rights('bronze.orders')).toMatchObject({
    reads: expect.arrayContaining([...places, 'gold/other/']),
    writes: expect.arrayContaining(places),
    removes: expect.arrayContaining(places),
  })
  expect(JSON.stringify(rights('bronze.orders'))).not.toContain('by-hand')
  expect(rights('gold.other').writes.filter((path) => path.startsWith('s3://'))).toEqual([
    's3://reports/shop/',
  ])
  const made = template(lake, deploy)
  expect(faultsOf(made)).toEqual([])
  const policies = JSON.stringify(made.stacks.map((one) => one.template.Resources))
  expect(policies).toContain(':s3:::exchange/*')
  expect(policies).not.toContain('by-hand')
})

it('has a job of Glue for each job, where that is asked for, with the rights of its function', () => {
  const made = orders({ glue: { workers: 4 }, secrets: { SHOP_URL: 'shop/database#url' } })
  expect(faultsOf(template(made.lake, made.deploy))).toEqual([])
  const resources = resourcesOf(made)
  const { Properties } = resources.BronzeOrdersSpark
  expect(Properties).toMatchObject({
    Name: 'orders-bronze-orders-spark',
    GlueVersion: '6.0',
    NumberOfWorkers: 4,
    ExecutionProperty: { MaxConcurrentRuns: 1 },
    Timeout: 240,
  })
  expect(Properties.DefaultArguments).toMatchObject({
    '--enable-auto-scaling': 'true',
    '--job-bookmark-option': 'job-bookmark-disable',
    '--MORAINE_JOB': 'bronze.orders',
    '--MORAINE_SECRETS': '{"SHOP_URL":"shop/database#url"}',
  })
  const statementsOf = (id: string): any[] => resources[id].Properties.PolicyDocument.Statement
  const writes = (id: string) => statementsOf(id).find(({ Sid }) => Sid === 'Write').Resource
  expect(writes('BronzeOrdersSparkRolePolicy')).toEqual(writes('BronzeOrdersRolePolicy'))
  const own = Object.keys(resources).filter((id) => /^BronzeOrdersRolePolicy\d*$/.test(id))
  const start = own.flatMap(statementsOf).find(({ Action }) => `${Action}`.includes('StartJobRun'))
  expect([start.Action].flat()).toEqual(['glue:StartJobRun'])
  expect(JSON.stringify(start.Resource)).toContain('job/orders-bronze-orders-spark')
  expect(resources.BronzeOrdersFunction.Properties.Environment.Variables).toMatchObject({
    MORAINE_GLUE_JOB: 'orders-bronze-orders-spark',
  })
  // Nobody else pays for it.
  expect(JSON.stringify(resourcesOf(orders()))).not.toContain('AWS::Glue::Job')
})
