import { expect, it } from 'vitest'
import { everything } from '../../../../test/support/example-templates.js'
import { isAllowed, type PolicyStatement } from '../../../../test/support/iam/evaluate.js'
import { Resolved } from '../../../../test/support/iam/resolve.js'
import {
  bronze,
  defineLake,
  every,
  type Gold,
  gold,
  redshift,
  silver,
  sql,
  t,
  warehouse,
  z,
} from '../../../index.js'
import { files, inbox, secret } from '../../../source/index.js'
import { aws, template } from '../../index.js'
import { jobId } from '../names.js'

type Options = Partial<Parameters<typeof aws>[0]>

const place = { account: '123456789012', region: 'eu-central-1', url: 'https://sqs' }
const bucket = 'arn:aws:s3:::shop-lake-123456789012-eu-central-1'
const results = 'arn:aws:s3:::shop-results-123456789012-eu-central-1'

/** A lake of an inbox, files of another bucket, and gold that goes to a warehouse. */
function shop(options: Options = {}, via = 's3://exchange/shop') {
  const deploy = aws({ region: 'eu-central-1', secrets: { URL: 'reports/url' }, ...options })
  const orders = bronze('Orders', { from: inbox({ format: 'jsonl', path: 's3://drop/orders' }) })
  const prices = bronze('prices', {
    from: files(['s3://partner/prices/2026-*.csv', 's3://partner/names.csv']),
    schedule: every('1h'),
  })
  const schema = z.object({ id: t.bigint() })
  const valid = silver('orders', { from: orders, schema, key: 'id' })
  const n: Gold = gold('n', { query: sql`select count(*) as n from ${valid}, ${prices}` })
  const to = redshift({ url: secret('env:URL'), via })
  const exports = [warehouse(to, { tables: [n] })]
  const lake = defineLake({ name: 'shop', deploy, datasets: [n], exports })
  return new Resolved(template(lake, deploy), place)
}

/** What statements allow of listing a bucket: with a prefix, or without one. */
const lists = (statements: readonly PolicyStatement[], of: string) => (prefix?: string) =>
  isAllowed(statements, {
    action: 's3:ListBucket',
    resource: of,
    ...(prefix === undefined ? {} : { context: { 's3:prefix': prefix } }),
  })
const reads = (statements: readonly PolicyStatement[]) => (object: string) =>
  isAllowed(statements, { action: 's3:GetObject', resource: object })

it('lets a team ask Athena for rows of bronze, by the lists that lead to them', () => {
  const teams = { engineers: { read: ['bronze'] }, clerks: { read: ['bronze.Orders', 'gold'] } }
  const all = shop({ teams })
  const [engineers, clerks] = [
    all.statementsOf('EngineersReader'),
    all.statementsOf('ClerksReader'),
  ]
  for (const team of [engineers, clerks]) {
    expect(reads(team)(`${bucket}/bronze/Orders/1/data.parquet`)).toBe(true)
    expect(reads(team)(`${bucket}/_moraine/athena/orders/1-1-aa/files.txt`)).toBe(true)
    expect(lists(team, bucket)('_moraine/athena/orders/1-1-aa/')).toBe(true)
    expect(reads(team)(`${bucket}/_moraine/log/main/000001.json`)).toBe(false)
  }
  expect(reads(engineers)(`${bucket}/_moraine/athena/prices/1-1-aa/files.txt`)).toBe(true)
  expect(reads(clerks)(`${bucket}/_moraine/athena/prices/1-1-aa/files.txt`)).toBe(false)
  const analysts = shop({ teams: { analysts: { read: ['silver'] } } }).statementsOf(
    'AnalystsReader',
  )
  expect(reads(analysts)(`${bucket}/_moraine/athena/orders/1-1-aa/files.txt`)).toBe(false)
})

it('tells a team no names of what it may not read', () => {
  const team = shop({ teams: { analysts: { read: ['silver'] } } }).statementsOf('AnalystsReader')
  expect(lists(team, bucket)('silver/orders/')).toBe(true)
  for (const prefix of [undefined, '', 'bronze/', 's'])
    expect(lists(team, bucket)(prefix)).toBe(false)
  expect(lists(team, results)('analysts/1')).toBe(true)
  expect(lists(team, results)('engineers/1')).toBe(false)
})

it('lets a function list of other buckets what its sources name, and a crawler what it looks at', () => {
  const all = shop({ crawlers: true })
  const job = all.statementsOf('BronzePricesRole')
  const partner = lists(job, 'arn:aws:s3:::partner')
  for (const prefix of ['prices/2026-', 'names.csv', 'prices/2026-01.csv'])
    expect(partner(prefix)).toBe(true)
  for (const prefix of ['', 'prices/', 'wages/']) expect(partner(prefix)).toBe(false)
  const drop = lists(
    all.statementsOf(`${jobId({ name: 'bronze.Orders' })}Role`),
    'arn:aws:s3:::drop',
  )
  for (const prefix of ['orders', 'orders/', 'orders/1.jsonl']) expect(drop(prefix)).toBe(true)
  for (const prefix of ['', 'orders-of-others/', 'wages/']) expect(drop(prefix)).toBe(false)
  const crawler = lists(all.statementsOf('CrawlerRole'), bucket)
  expect(crawler('bronze/Orders/')).toBe(true)
  for (const prefix of ['silver/', '_moraine/log/main/']) expect(crawler(prefix)).toBe(false)
})

it('lets a warehouse read gold, and what exports hand to it, wherever that lies', () => {
  const ids = ['0', '1', '2'].map((n) => `subnet-0123456789abcdef${n}`)
  const all = shop({ redshift: { subnets: ids, securityGroups: ['sg-0123456789abcdef0'] } })
  const role = all.statementsOf('RedshiftRole')
  expect(reads(role)(`${bucket}/gold/n/data/1.parquet`)).toBe(true)
  expect(reads(role)('arn:aws:s3:::exchange/shop/redshift-1/1.parquet')).toBe(true)
  expect(reads(role)('arn:aws:s3:::exchange/others/1.parquet')).toBe(false)
  expect(lists(role, 'arn:aws:s3:::exchange')('shop/redshift-1/')).toBe(true)
  expect(lists(role, bucket)('gold/n/')).toBe(true)
  for (const prefix of ['silver/', '_moraine/log/main/'])
    expect(lists(role, bucket)(prefix)).toBe(false)
})

it.each(['kms', 's3'] as const)(
  'takes no object whose key only its writer has (%s)',
  (encryption) => {
    const all = shop({ encryption })
    const header = 's3:x-amz-server-side-encryption'
    const allow = { Effect: 'Allow', Action: 's3:*' } as const
    for (const [id, of] of [
      ['LakeBucketPolicy', bucket],
      ['ResultsBucketPolicy', results],
    ] as const) {
      const puts = (context: Record<string, string>) =>
        isAllowed([allow, ...all.statementsOfPolicy(id)], {
          ...{ action: 's3:PutObject', resource: `${of}/silver/1`, context },
        })
      expect(puts({})).toBe(true)
      expect(puts({ [header]: encryption === 'kms' ? 'aws:kms' : 'AES256' })).toBe(true)
      expect(puts({ [header]: encryption === 'kms' ? 'AES256' : 'aws:kms' })).toBe(false)
      expect(puts({ [`${header}-customer-algorithm`]: 'AES256' })).toBe(false)
      expect(puts({ 'aws:SecureTransport': 'false' })).toBe(false)
    }
  },
)

/** Names that an account has once: of what lies in a template, by type. */
function namesIn(all: Resolved): string[] {
  const types = ['S3::Bucket', 'SQS::Queue', 'Lambda::Function', 'IAM::Role', 'IAM::ManagedPolicy']
  const more = ['SNS::Topic', 'CloudWatch::Alarm', 'Logs::LogGroup', 'KMS::Alias', 'Events::Rule']
  const glue = ['Database', 'Crawler', 'Job', 'DataQualityRuleset'].map((type) => `Glue::${type}`)
  const others = ['Scheduler::ScheduleGroup', 'Athena::WorkGroup', 'CloudTrail::Trail']
  return [...types, ...more, ...glue, ...others].flatMap((type) =>
    all.of(`AWS::${type}`).map((id) => {
      const { DatabaseInput, ...own } = all.properties(id)
      const [, name] =
        Object.entries({ ...own, ...DatabaseInput }).find(([key]) =>
          /^(Bucket|Queue|Function|Role|ManagedPolicy|Topic|Alarm|LogGroup|Alias|Trail)?Name$/.test(
            key,
          ),
        ) ?? []
      return `${type} ${name}`
    }),
  )
}

it('gives two deployments of one definition no name in common', () => {
  const { redshift: _, vpc: __, ...options } = everything
  const most = { ...options, secrets: { ...options.secrets, URL: 'reports/url' } }
  const [real, test] = [
    namesIn(shop(most)),
    namesIn(shop({ ...most, name: 'shop-test', databases: 'shop_test' })),
  ]
  expect(real.length).toBe(test.length)
  expect(real).toContain('Glue::Database shop_bronze_crawled')
  expect(test).toContain('Glue::Database shop_test_bronze_crawled')
  expect(real.filter((name) => test.includes(name) || name.endsWith(' undefined'))).toEqual([])
})

it('deploys to two regions of an account without a name that an account has once', () => {
  const subnets = ['0', '1', '2'].map((n) => `subnet-0123456789abcdef${n}`)
  const { vpc: _, ...options } = everything
  const secrets = { ...options.secrets, URL: 'reports/url' }
  const redshift = { subnets, securityGroups: ['sg-0123456789abcdef0'] }
  const global = (region: string) => {
    const all = shop({ ...options, secrets, redshift, region })
    const once = { Role: 'RoleName', ManagedPolicy: 'ManagedPolicyName' } as const
    const names = Object.entries(once).flatMap(([type, property]) =>
      all.of(`AWS::IAM::${type}`).map((id): string => all.properties(id)[property]),
    )
    const { TrailName } = all.properties('Trail')
    const { BucketName } = all.properties('LogBucket')
    return [...names, TrailName, all.properties('Budget').Budget.BudgetName, BucketName]
  }
  // The longest name of a region.
  const [one, other] = [global('eu-central-1'), global('ap-southeast-2')]
  expect(one.length).toBeGreaterThan(20)
  // A bucket's name has the region that the stack is in.
  expect(one.filter((name) => other.includes(name))).toEqual([one.at(-1)])
  for (const name of [...one, ...other]) expect(name.length).toBeLessThanOrEqual(64)
  expect(one).toContain('shop-read-analysts-eu-central-1')
})

it('has runs of Glue that fail end among the dead letters, whatever they came to', () => {
  const glue = shop({ glue: {} })
  const { EventPattern, Targets } = glue.properties('SparkFailures')
  expect(EventPattern.detail.jobName).toEqual(
    glue.of('AWS::Glue::Job').map((id) => glue.properties(id).Name),
  )
  expect(EventPattern.detail.state).toContain('TIMEOUT')
  expect(Targets).toEqual([{ Id: 'dead', Arn: glue.arn('DeadLetters') }])
  const rule = glue.properties('SparkFailures').Name
  const sends = isAllowed(glue.statementsOfPolicy('QueuePolicy'), {
    action: 'sqs:SendMessage',
    resource: glue.arn('DeadLetters'),
    context: {
      'aws:SourceAccount': place.account,
      'aws:SourceArn': `arn:aws:events:${place.region}:${place.account}:rule/${rule}`,
    },
  })
  expect(sends).toBe(true)
  expect(shop().of('AWS::Events::Rule')).not.toContain('SparkFailures')
})

it('has an alarm where a catalog fails that engines ask, and none without one', () => {
  const secrets = { URL: 'a/b', MORAINE_TOKEN: 'lake/token' }
  const all = shop({ catalog: true, secrets })
  const { Dimensions, AlarmActions } = all.properties('CatalogErrorsAlarm')
  expect(Dimensions).toEqual([{ Name: 'FunctionName', Value: 'CatalogFunction' }])
  expect(AlarmActions).toEqual(['Alarms'])
  expect(shop().of('AWS::CloudWatch::Alarm')).not.toContain('CatalogErrorsAlarm')
})

it('has a trail of the objects of the lake, and no second one of all else that is done', () => {
  const { AdvancedEventSelectors } = shop({ audit: true }).properties('Trail')
  const categories = JSON.stringify(AdvancedEventSelectors)
  expect(categories).toContain('"Data"')
  expect(categories).not.toContain('Management')
})

it('keeps messages of a job that is paused for as long as a queue can', () => {
  const all = shop({ paused: true })
  for (const id of all.of('AWS::SQS::Queue'))
    expect(all.properties(id).MessageRetentionPeriod, id).toBe(14 * 86_400)
})

it('bounds what a warehouse takes with many queries at once', () => {
  const subnets = ['0', '1', '2'].map((n) => `subnet-0123456789abcdef${n}`)
  const most = (more: { capacity?: number; maxCapacity?: number }) => {
    const redshift = { subnets, securityGroups: ['sg-0123456789abcdef0'], ...more }
    return shop({ redshift }).properties('WarehouseGroup').MaxCapacity
  }
  expect([most({}), most({ capacity: 512 }), most({ maxCapacity: 64 })]).toEqual([32, 1024, 64])
  expect(() => most({ capacity: 64, maxCapacity: 8 })).toThrowError(
    'aws({ redshift }): its maxCapacity of 8 RPUs is less than its capacity of 64',
  )
})

it('leaves databases of Glue to who shows the lake there, so that teams can come later', () => {
  const teams = { analysts: { read: ['gold'] } }
  expect(shop({ teams, quality: true }).of('AWS::Glue::Database')).toEqual([])
})

it('lets what is left of copies for a warehouse go with time, and never what the log has', () => {
  const prefixes = (via: string) => {
    const { LifecycleConfiguration } = shop({}, via).properties('LakeBucket')
    return LifecycleConfiguration.Rules.map(({ Prefix }: { Prefix: string }) => Prefix)
  }
  expect(prefixes('s3://shop-lake-123456789012-eu-central-1/exports')).toContain('exports/')
  for (const via of ['s3://exchange', 's3://exchange/_moraine/log', 's3://exchange/archive'])
    expect(prefixes(via).filter((one: string) => /^(_moraine|archive)/.test(one))).toEqual([])
})

it('lets a job go on in as many functions as it takes, which Lambda would end as a loop', () => {
  const all = shop({ catalog: true, secrets: { URL: 'a/b', MORAINE_TOKEN: 'lake/token' } })
  const { RecursiveLoop } = all.properties('BronzePricesFunction')
  expect(RecursiveLoop).toBe('Allow')
  for (const id of ['ProjectionFunction', 'CatalogFunction'])
    expect(all.properties(id)).not.toHaveProperty('RecursiveLoop')
})

it('has alarms reach their topic: by a key that lets CloudWatch use it, or by none', () => {
  const topic = (encryption: 'kms' | 's3') => shop({ encryption }).properties('Alarms')
  expect(topic('s3')).not.toHaveProperty('KmsMasterKeyId')
  expect(topic('kms').KmsMasterKeyId).toBe(shop().arn('Key'))
  const statements: any[] = shop().properties('Key').KeyPolicy.Statement
  const services = statements.find(({ Sid }) => Sid === 'Services')
  expect(services.Principal.Service).toContain('cloudwatch.amazonaws.com')
  expect(services.Action).toEqual(['kms:Decrypt', 'kms:GenerateDataKey*'])
})

it('has queues take events from rules of the lake alone', () => {
  const queues = shop().statementsOfPolicy('QueuePolicy')
  const sends = (rule: string, account = place.account) =>
    isAllowed(queues, {
      action: 'sqs:SendMessage',
      resource: 'arn:aws:sqs:eu-central-1:123456789012:shop-bronze-Orders.fifo',
      context: {
        'aws:SourceAccount': account,
        'aws:SourceArn': `arn:aws:events:eu-central-1:${account}:rule/${rule}`,
      },
    })
  expect(sends('shop-bronze-Orders')).toBe(true)
  expect(sends('somebody-elses')).toBe(false)
  expect(sends('shop-bronze-Orders', '210987654321')).toBe(false)
})
