import { expect, it } from 'vitest'
import { faultsOf } from '../../../test/support/cloudformation.js'
import { DefinitionError } from '../../errors.js'
import {
  alert,
  bronze,
  cron,
  defineLake,
  duckdbFile,
  folder,
  type Gold,
  gold,
  principal,
  redshift,
  silver,
  sql,
  t,
  warehouse,
  z,
} from '../../index.js'
import { VACUUMED } from '../../log/format/folders.js'
import { type Job, jobsOf } from '../../plan/jobs.js'
import { files, inbox, postgres, secret, mysql as server } from '../../source/index.js'
import { aws, template } from '../index.js'
import { readMessage } from '../lambda/messages.js'
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

it('lets what vacuum removes be brought back for a while, in each folder that it removes from', () => {
  const { Rules } = resourcesOf(orders()).LakeBucket.Properties.LifecycleConfiguration
  const expiring = Rules.filter((rule: object) => 'NoncurrentVersionExpiration' in rule)
  // Nor is code kept for ever that was deployed before.
  expect(expiring.map(({ Prefix }: { Prefix: string }) => Prefix)).toEqual([
    ...VACUUMED,
    '_deploy/',
  ])
  expect(VACUUMED).toContain('tombstones/')
  // Nor does what says that an object was removed stay for ever.
  for (const rule of expiring) expect(rule.ExpiredObjectDeleteMarker).toBe(true)
})

it('refuses more rules for what was removed than a bucket takes, and says what to do', () => {
  const lakeOf = (noncurrent: string) => {
    const deploy = aws({ region: 'eu-central-1', noncurrent })
    const from = bronze('orders', { from: inbox({ format: 'jsonl' }) })
    const schema = z.object({ id: t.bigint() })
    const datasets = Array.from({ length: 260 }, (_, i) =>
      silver(`orders_${i}`, { from, schema, key: 'id', keep: '20d' }),
    )
    return { lake: defineLake({ name: 'many', deploy, datasets }), deploy }
  }
  expect(problemsOf(lakeOf('30d'))[0]).toMatch(
    /^The bucket would have 1\d+ rules of lifecycle, and S3 takes 1000: /,
  )
  expect(problemsOf(lakeOf('20d'))).toEqual([])
})

it('makes what holds data and the code first, and then what runs it', () => {
  const { lake, deploy } = orders()
  const made = template(lake, deploy)
  expect(faultsOf(made)).toEqual([])
  expect(made.stacks.map(({ name, phase, parameters }) => [name, phase, parameters])).toEqual([
    ['orders-base', 'base', []],
    ['orders', 'rest', ['CodeKey']],
  ])
})

it('gives other stacks the same of buckets and key, whatever these ask for now', () => {
  const givenBy = (options: Parameters<typeof orders>[0]) => {
    const { lake, deploy } = orders(options)
    return Object.keys(template(lake, deploy).stacks[0]?.template.Outputs ?? {}).sort()
  }
  const plain = givenBy({ projection: false })
  expect(plain).toEqual([
    ...['Key', 'KeyArn', 'LakeBucket', 'LakeBucketArn', 'LogBucket', 'LogBucketArn'],
    ...['ResultsBucket', 'ResultsBucketArn'],
  ])
  const teams = { analysts: { read: ['gold'] } }
  expect(givenBy({ teams, audit: true, crawlers: true })).toEqual(plain)
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
  const { lake: plain, deploy } = orders({ secrets: { URL: 'reports/url' } })
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

it('lets a function take what arrives in its folder of a bucket, and nothing beside that', () => {
  const deploy = aws({ region: 'eu-central-1' })
  const raw = bronze('orders', { from: inbox({ format: 'jsonl', path: 's3://drop/orders' }) })
  const all = bronze('all', { from: inbox({ format: 'jsonl', path: 's3://everything' }) })
  const lake = defineLake({ name: 'orders', deploy, datasets: [raw, all] })
  const resources = resourcesOf({ lake, deploy })
  const policies = JSON.stringify(resources)
  expect(policies).toContain(':s3:::drop/orders/*')
  expect(policies).not.toContain(':s3:::drop/orders*')
  // Other buckets begin so.
  expect(policies).toContain(':s3:::everything/*')
  expect(policies).not.toContain(':s3:::everything*')
  expect(resources.BronzeOrdersRule.Properties.EventPattern.detail.object).toEqual({
    key: [{ prefix: 'orders/' }],
  })
})

it('lets functions fetch the secrets that they need, and no others', () => {
  const deploy = aws({ region: 'eu-central-1', catalog: true, secrets: { SHOP_URL: 'shop/url' } })
  const raw = bronze('orders', { from: inbox({ format: 'jsonl' }) })
  const total = gold('total', { query: sql`select count(*) as n from ${raw}` })
  const other = bronze('other', { from: inbox({ format: 'jsonl' }) })
  const lake = defineLake({
    name: 'orders',
    deploy,
    datasets: [total, other],
    alerts: [alert.slack(secret('aws-secrets:alerts/slack'))],
    access: [principal('ben', { token: secret('aws-secrets:access/ben'), read: ['gold.*'] })],
    exports: [
      warehouse(postgres({ host: 'db', password: secret('aws-secrets:reports/db') }), {
        tables: [total],
      }),
    ],
  })
  const resources = resourcesOf({ lake, deploy })
  const secretsOf = (id: string) =>
    ['alerts/slack', 'access/ben', 'reports/db', 'shop/url'].filter((name) =>
      JSON.stringify(resources[`${id}RolePolicy`]).includes(`:secret:${name}-`),
    )
  expect(secretsOf('BronzeOrders')).toEqual(['alerts/slack', 'reports/db', 'shop/url'])
  expect(secretsOf('BronzeOther')).toEqual(['alerts/slack', 'shop/url'])
  expect(secretsOf('Catalog')).toEqual(['access/ben', 'shop/url'])
  expect(secretsOf('Projection')).toEqual(['shop/url'])
})

it('lets a function lock originals for the time that their dataset says, in a bucket that can', () => {
  const raw = (archive: true | { lock: string }) => {
    const from = bronze('orders', { from: inbox({ format: 'jsonl' }), archive })
    const schema = z.object({ id: t.int() })
    const deploy = aws({ region: 'eu-central-1' })
    const datasets = [silver('orders', { from, schema, key: 'id' })]
    return resourcesOf({ lake: defineLake({ name: 'orders', deploy, datasets }), deploy })
  }
  const rights = (resources: Record<string, any>) =>
    resources.BronzeOrdersRolePolicy.Properties.PolicyDocument.Statement.filter(
      ({ Sid }: { Sid: string }) => ['Hold', 'Retain', 'Lock'].includes(Sid),
    )
  const locked = raw({ lock: '365 days' })
  expect(locked.LakeBucket.Properties.ObjectLockEnabled).toBe(true)
  expect(rights(locked)).toMatchObject([
    { Sid: 'Retain', Action: ['s3:PutObjectRetention', 's3:GetObjectRetention'] },
    { Sid: 'Lock', Action: ['s3:GetBucketObjectLockConfiguration'] },
  ])
  expect(JSON.stringify(rights(locked)[0].Resource)).toContain('/archive/orders/*')
  const plain = raw(true)
  expect(plain.LakeBucket.Properties).not.toHaveProperty('ObjectLockEnabled')
  expect(rights(plain).map(({ Sid }: { Sid: string }) => Sid)).toEqual(['Lock'])
})

it('lets a function hold originals whose dataset says no time, where another one has the bucket lock', () => {
  const schema = z.object({ id: t.int() })
  const of = (name: string, archive: true | { lock: string }) => {
    const from = bronze(name, { from: inbox({ format: 'jsonl' }), archive })
    return silver(name, { from, schema, key: 'id' })
  }
  const deploy = aws({ region: 'eu-central-1' })
  const datasets = [of('orders', { lock: '365 days' }), of('returns', true)]
  const resources = resourcesOf({ lake: defineLake({ name: 'orders', deploy, datasets }), deploy })
  const rights = (id: string) =>
    resources[id].Properties.PolicyDocument.Statement.filter(({ Sid }: { Sid: string }) =>
      ['Hold', 'Retain'].includes(Sid),
    )
  expect(rights('BronzeReturnsRolePolicy')).toMatchObject([
    { Sid: 'Hold', Action: ['s3:PutObjectLegalHold'] },
  ])
  expect(rights('BronzeOrdersRolePolicy')).toMatchObject([{ Sid: 'Retain' }])
})

it('has figures, alarms, costs and tags of its own under each name', () => {
  const of = (name?: string) =>
    resourcesOf(orders({ budget: 50, glue: {}, ...(name === undefined ? {} : { name }) }))
  const [own, trial] = [of(), of('orders-test')]
  // What other alarms look at has the name of a resource of the deployment.
  const lakes = (resources: ReturnType<typeof of>) => ({
    alarm: resources.FailedRunsAlarm.Properties.Dimensions,
    told: resources.BronzeOrdersFunction.Properties.Environment.Variables.MORAINE_DEPLOYED,
    glue: resources.BronzeOrdersSpark.Properties.DefaultArguments['--MORAINE_DEPLOYED'],
    tag: resources.LakeBucket.Properties.Tags,
    glueTag: resources.BronzeOrdersSpark.Properties.Tags,
    cost: resources.Budget.Properties.Budget.CostFilters.TagKeyValue,
  })
  const all = (name: string) => ({
    alarm: [{ Name: 'Lake', Value: name }],
    tag: [{ Key: 'lake', Value: name }],
    glueTag: { lake: name },
    cost: [`user:lake$${name}`],
  })
  expect(lakes(own)).toEqual(all('orders'))
  expect(lakes(trial)).toEqual({ ...all('orders-test'), told: 'orders-test', glue: 'orders-test' })
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
    '--MORAINE_TASKS': '3',
    '--MORAINE_CORES': '4',
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
  // What was refused while a run came to its end is looked for when it is over.
  const { EventPattern, Targets } = resources.BronzeOrdersSparkEnd.Properties
  expect(EventPattern.detail).toEqual({
    jobName: ['orders-bronze-orders-spark'],
    state: ['SUCCEEDED'],
  })
  expect(Targets[0].Arn).toEqual(resources.BronzeOrdersRule.Properties.Targets[0].Arn)
  expect(Targets[0].SqsParameters).toEqual({ MessageGroupId: 'bronze.orders' })
  const { InputPathsMap, InputTemplate } = Targets[0].InputTransformer
  expect(InputPathsMap).toEqual({ run: '$.detail.jobRunId' })
  expect(readMessage(InputTemplate.replace('<run>', '"jr_1"'))).toEqual({
    kind: 'job',
    request: { job: 'bronze.orders', cause: 'upstream', turn: 0, intake: false },
  })
  // Nobody else pays for it.
  expect(JSON.stringify(resourcesOf(orders()))).not.toContain('AWS::Glue::Job')
})

it('puts jobs of Glue into the network of functions, or says what is missing', () => {
  const network = {
    subnets: ['subnet-0123456789abcdef0'],
    securityGroups: ['sg-0123456789abcdef0'],
  }
  const problem =
    'aws({ vpc }): jobs of Glue would not be in the network: its availability zone is not set'
  expect(problemsOf(orders({ glue: {}, vpc: network }))).toEqual([problem])
  expect(problemsOf(orders({ vpc: network }))).toEqual([])
  const made = orders({ glue: {}, vpc: { ...network, zone: 'eu-central-1a' } })
  expect(faultsOf(template(made.lake, made.deploy))).toEqual([])
  const resources = resourcesOf(made)
  expect(resources.GlueNetwork.Properties.ConnectionInput).toEqual({
    Name: 'orders-Network',
    ConnectionType: 'NETWORK',
    PhysicalConnectionRequirements: {
      SubnetId: 'subnet-0123456789abcdef0',
      SecurityGroupIdList: ['sg-0123456789abcdef0'],
      AvailabilityZone: 'eu-central-1a',
    },
  })
  const { Connections } = resources.BronzeOrdersSpark.Properties
  expect(JSON.stringify(Connections)).toContain('GlueNetwork')
  const roles = Object.keys(resources).filter((id) => id.startsWith('BronzeOrdersSparkRole'))
  expect(JSON.stringify(roles.map((id) => resources[id]))).toContain('connection/orders-Network')
  expect(JSON.stringify(resourcesOf(orders({ glue: {} })))).not.toContain('GlueNetwork')
})

/** What is wrong with a lake for AWS, as messages. */
function problemsOf(made: Pick<ReturnType<typeof orders>, 'lake' | 'deploy'>): string[] {
  try {
    template(made.lake, made.deploy)
    return []
  } catch (error) {
    if (error instanceof DefinitionError) return error.problems.map(({ message }) => message)
    throw error
  }
}

it('refuses what functions would not reach: folders, files of databases, variables that they do not have', () => {
  const of = (options: Partial<Parameters<typeof aws>[0]>) => {
    const shop = postgres({ url: secret('env:SHOP_URL') }).table('orders', { key: 'id' })
    const a = bronze('a', { from: files('/data/*.csv') })
    const raw = [
      a,
      bronze('b', { from: files(['../b.csv', 'lists/b.csv', 's3://drop/b.csv']) }),
      bronze('c', { from: shop }),
    ]
    const n = gold('n', { query: sql`select count(*) as n from ${a}` })
    const deploy = aws({ region: 'eu-central-1', ...options })
    const exports = [
      warehouse(duckdbFile('reports.duckdb'), { tables: [n] }),
      warehouse(duckdbFile('hand.duckdb'), { tables: [n], name: 'hand', afterRuns: false }),
      warehouse(folder('out'), { tables: [n] }),
      warehouse(server({ host: 'db', password: secret('env:DB_PASSWORD') }), { tables: [n] }),
      warehouse(postgres({ host: 'db', password: secret('file:/run/secrets/db') }), {
        tables: [n],
      }),
    ]
    const alerts = [alert.slack(secret('env:SLACK_URL')), alert.webhook(secret('file:/hook'))]
    const access = [principal('ben', { token: secret('env:BEN'), read: ['gold.*'] })]
    const datasets = [...raw, n]
    const lake = defineLake({ name: 'shop', deploy, datasets, exports, alerts, access })
    return { lake, deploy }
  }
  const reach = [
    "warehouse 'duckdb': functions on AWS have no place to keep the file 'reports.duckdb'",
    "warehouse 'folder': functions on AWS do not reach the folder 'out'",
  ]
  const absent = [
    "warehouse 'postgres': functions on AWS would not have the file /run/secrets/db",
    'alerts: functions on AWS would not have the file /hook',
  ]
  expect(problemsOf(of({}))).toEqual([
    ...reach,
    'bronze.c: functions on AWS would not have the variable SHOP_URL',
    "warehouse 'mysql': functions on AWS would not have the variable DB_PASSWORD",
    absent[0],
    'alerts: functions on AWS would not have the variable SLACK_URL',
    absent[1],
  ])
  const secrets = { SHOP_URL: 'shop/url', DB_PASSWORD: 'reports/db#password', SLACK_URL: 'hook' }
  expect(problemsOf(of({ secrets }))).toEqual([...reach, ...absent])
  expect(problemsOf(of({ secrets, catalog: true }))).toEqual([
    ...reach,
    ...absent,
    "principal 'ben': functions on AWS would not have the variable BEN",
  ])
})

it('refuses values of secrets in environment: templates and settings of functions would show them', () => {
  const of = (environment: Record<string, string>, catalog = false) => {
    const shop = postgres({ url: secret('env:SHOP_URL') }).table('orders', { key: 'id' })
    const deploy = aws({
      region: 'eu-central-1',
      ...{ environment, catalog, secrets: { SHOP_URL: 'shop/url' } },
    })
    const access = [principal('ben', { token: secret('env:BEN'), read: ['bronze.*'] })]
    const datasets = [bronze('orders', { from: shop })]
    return { lake: defineLake({ name: 'shop', deploy, datasets, access }), deploy }
  }
  expect(problemsOf(of({ SHOP_EVERY: '5m' }))).toEqual([])
  const shown = 'would be in the template and in the settings of functions, where many can read it'
  for (const catalog of [false, true])
    expect(problemsOf(of({ BEN: 'hunter2' }, catalog))).toEqual([
      `principal 'ben': the value of the secret BEN ${shown}`,
    ])
  expect(problemsOf(of({ BEN: 'hunter2', MORAINE_TOKEN: 'hunter3' }))).toEqual([
    `The value of MORAINE_TOKEN ${shown}`,
    `principal 'ben': the value of the secret BEN ${shown}`,
  ])
  expect(problemsOf({ ...of({ SHOP_URL: 'hunter2' }) })[1]).toBe(
    `bronze.orders: the value of the secret SHOP_URL ${shown}`,
  )
})

it('refuses paused jobs that there are not, and more tags than AWS takes', () => {
  expect(problemsOf(orders({ paused: ['bronze.orders'] }))).toEqual([])
  expect(problemsOf(orders({ paused: ['bronze.order'] }))).toEqual([
    "aws({ paused }): no job is named 'bronze.order'",
  ])
  const tags = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`tag${i}`, 'x']))
  expect(problemsOf(orders({ tags: tags(49) }))).toEqual([])
  expect(problemsOf(orders({ tags: tags(50) }))[0]).toContain('at most 50')
})
