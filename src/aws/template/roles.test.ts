import { describe, expect, it } from 'vitest'
import {
  askedByAthena,
  askedByCrawler,
  askedByRedshift,
  askedByScheduler,
  askedBySpark,
} from '../../../test/support/iam/documented.js'
import {
  type Asked,
  isAllowed,
  type PolicyStatement,
  subtractions,
} from '../../../test/support/iam/evaluate.js'
import { Resolved } from '../../../test/support/iam/resolve.js'
import {
  bronze,
  defineLake,
  every,
  gold,
  redshift,
  silver,
  sql,
  t,
  warehouse,
  z,
} from '../../index.js'
import { inbox, secret } from '../../source/index.js'
import { aws, template } from '../index.js'

const account = '123456789012'
const region = 'eu-central-1'
const subnets = ['0', '1', '2'].map((n) => `subnet-0123456789abcdef${n}`)

/** Two chains of tables, two teams, and all that has a role. */
function made() {
  const deploy = aws({
    region,
    name: 'shop',
    crawlers: true,
    catalog: true,
    glue: {},
    secrets: { MORAINE_TOKEN: 'lake/token', URL: 'reports/url' },
    redshift: { subnets, securityGroups: ['sg-0123456789abcdef0'] },
    teams: {
      analysts: { read: ['silver.one', 'gold'] },
      engineers: { read: ['bronze'] },
    },
  })
  const chain = (name: string) =>
    silver(name, {
      from: bronze(name, { from: inbox({ format: 'jsonl' }), schedule: every('1h') }),
      schema: z.object({ id: t.bigint() }),
      key: 'id',
    })
  const [one, other] = [chain('one'), chain('other')]
  const sum = gold('sum', { query: sql`select count(*) as n from ${one}, ${other}` })
  const to = redshift({ url: secret('env:URL'), via: 's3://exchange/shop' })
  const exports = [warehouse(to, { tables: [sum] })]
  const lake = defineLake({ name: 'shop', deploy, datasets: [sum], exports })
  return new Resolved(template(lake, deploy), { account, region, url: 'https://sqs' })
}

const all = made()
const key = all.arn('Key')
const bucket = all.arn('LakeBucket')
const results = all.arn('ResultsBucket')
const known = { account, region, key }

/** What a role may do, with what the buckets' own policies say of it. */
const rightsOf = (role: string): PolicyStatement[] => [
  ...all.statementsOf(role),
  ...all.statementsOfPolicy('LakeBucketPolicy'),
  ...all.statementsOfPolicy('ResultsBucketPolicy'),
]

/** Calls that are refused, and actions without which all of them are allowed. */
function heldTo(role: string, calls: readonly Asked[]) {
  const rights = rightsOf(role)
  return {
    refused: calls.filter((one) => !isAllowed(rights, one)),
    idle: subtractions(all.statementsOf(role))
      .filter(({ left }) => calls.every((one) => isAllowed(left, one)))
      .map(({ what }) => what),
  }
}
const exactly = { refused: [], idle: [] }

const athena = (team: string, tables: readonly { layer: string; name: string }[]) =>
  tables.flatMap(({ layer, name }) =>
    askedByAthena({
      ...known,
      workgroup: `shop-${team}`,
      database: `shop_${layer}`,
      table: name,
      batches: layer === 'bronze',
      objects: { bucket, folder: `${layer}/${name}/` },
      lists: layer === 'bronze' ? `_moraine/athena/${name}/` : undefined,
      results: { bucket: results, folder: `${team}/` },
    }),
  )

describe('a role', () => {
  it('of analysts needs each of its actions for a question to Athena, and no other', () => {
    const calls = athena('analysts', [
      { layer: 'silver', name: 'one' },
      { layer: 'gold', name: 'sum' },
    ])
    expect(heldTo('AnalystsReader', calls)).toEqual(exactly)
  })

  it('of engineers needs each of its actions for batches of bronze, and no other', () => {
    expect(
      heldTo('EngineersReader', athena('engineers', [{ layer: 'bronze', name: 'other' }])),
    ).toEqual(exactly)
  })

  it('of the warehouse needs each of its actions for gold and for what is handed to it', () => {
    const calls = askedByRedshift({
      ...known,
      bucket,
      folder: 'gold/sum/',
      database: 'shop_gold',
      copied: 's3://exchange/shop/',
    })
    expect(heldTo('RedshiftRole', calls)).toEqual(exactly)
  })

  it('of the crawler needs each of its actions for bronze, with a log that the key encrypts', () => {
    const calls = askedByCrawler({
      ...known,
      bucket,
      folder: 'bronze/one/',
      database: 'shop_bronze_crawled',
    })
    expect(heldTo('CrawlerRole', calls)).toEqual(exactly)
    const logs = { Service: `logs.${region}.amazonaws.com` }
    const byLogs = all
      .properties('Key')
      .KeyPolicy.Statement.filter(({ Principal }: PolicyStatement) => {
        return JSON.stringify(Principal) === JSON.stringify(logs)
      })
    const encrypts = (group: string) =>
      isAllowed(byLogs, {
        action: 'kms:GenerateDataKey',
        resource: '*',
        context: {
          'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${account}:log-group:${group}`,
        },
      })
    expect(encrypts('/aws-glue/crawlers-role/shop-crawler-eu-central-1-shop-glue')).toBe(true)
    expect(encrypts('/moraine/shop')).toBe(true)
    expect(encrypts('/aws/lambda/of-others')).toBe(false)
  })

  it('of schedules needs each of its actions to start jobs', () => {
    const queues = all.of('AWS::SQS::Queue').filter((id) => /^Bronze|^DeadLetters$/.test(id))
    expect(queues).toHaveLength(3)
    const calls = queues.flatMap((id) => askedByScheduler({ ...known, queue: all.arn(id) }))
    expect(heldTo('SchedulerRole', calls)).toEqual(exactly)
  })

  it('of a job of Glue needs beside that of the function what starts it and where it logs', () => {
    const own = new Set(all.statementsOf('BronzeOneRole').map(({ Sid }) => Sid))
    const beside = all.statementsOf('BronzeOneSparkRole').filter(({ Sid }) => !own.has(Sid))
    expect(beside.map(({ Sid }) => Sid)).toEqual(['Code'])
    const logs = all.statementsOf('BronzeOneSparkRole').filter(({ Sid }) => Sid === 'Logs')
    const calls = askedBySpark({ ...known, bucket })
    expect(calls.filter((one) => !isAllowed([...beside, ...logs], one))).toEqual([])
    expect(
      subtractions([...beside, ...logs]).filter(({ left }) =>
        calls.every((one) => isAllowed(left, one)),
      ),
    ).toEqual([])
  })
})

const object = (path: string) => `${bucket}/${path}one/of-them`
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account}:${rest}`

/** What somebody tries who has one of the roles: by what it is, an action and a resource. */
const TRIED: Readonly<Record<string, Asked>> = {
  ...Object.fromEntries(
    [
      ...['bronze/one/', 'bronze/other/', 'bronze/landing/one/', 'archive/one/'],
      ...['silver/one/', 'silver/other/', 'gold/sum/', 'external/ml/'],
      ...['_moraine/log/main/', '_moraine/athena/one/', '_deploy/code/'],
    ].flatMap((path) => [
      [`read ${path}`, { action: 's3:GetObject', resource: object(path) }],
      [`write ${path}`, { action: 's3:PutObject', resource: object(path) }],
      [`remove ${path}`, { action: 's3:DeleteObject', resource: object(path) }],
      [
        `list ${path}`,
        { action: 's3:ListBucket', resource: bucket, context: { 's3:prefix': path } },
      ],
    ]),
  ),
  'list all': { action: 's3:ListBucket', resource: bucket },
  'list all of exchange': { action: 's3:ListBucket', resource: 'arn:aws:s3:::exchange' },
  'read wages of exchange': {
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::exchange/wages/1',
  },
  'read results of analysts': { action: 's3:GetObject', resource: `${results}/analysts/1.csv` },
  'read results of engineers': { action: 's3:GetObject', resource: `${results}/engineers/1.csv` },
  'list results of analysts': {
    action: 's3:ListBucket',
    resource: results,
    context: { 's3:prefix': 'analysts/' },
  },
  'list results of engineers': {
    action: 's3:ListBucket',
    resource: results,
    context: { 's3:prefix': 'engineers/' },
  },
  'list all results': { action: 's3:ListBucket', resource: results },
  'ask as analysts': {
    action: 'athena:StartQueryExecution',
    resource: arn('athena', 'workgroup/shop-analysts'),
  },
  'ask as engineers': {
    action: 'athena:StartQueryExecution',
    resource: arn('athena', 'workgroup/shop-engineers'),
  },
  'see answers of engineers': {
    action: 'athena:GetQueryResults',
    resource: arn('athena', 'workgroup/shop-engineers'),
  },
  'ask without a limit': {
    action: 'athena:StartQueryExecution',
    resource: arn('athena', 'workgroup/primary'),
  },
  'change a workgroup': {
    action: 'athena:UpdateWorkGroup',
    resource: arn('athena', 'workgroup/shop-analysts'),
  },
  'look at bronze in Glue': {
    action: 'glue:GetTable',
    resource: arn('glue', 'table/shop_bronze/one'),
  },
  'look at silver in Glue': {
    action: 'glue:GetTable',
    resource: arn('glue', 'table/shop_silver/other'),
  },
  'look at gold in Glue': { action: 'glue:GetTable', resource: arn('glue', 'table/shop_gold/sum') },
  'see batches in Glue': {
    action: 'glue:GetPartitions',
    resource: arn('glue', 'table/shop_bronze/one'),
  },
  'look at another database': {
    action: 'glue:GetTable',
    resource: arn('glue', 'table/finance/wages'),
  },
  'move a pointer': { action: 'glue:UpdateTable', resource: arn('glue', 'table/shop_silver/one') },
  'drop a table': { action: 'glue:DeleteTable', resource: arn('glue', 'table/shop_gold/sum') },
  'fetch the token': {
    action: 'secretsmanager:GetSecretValue',
    resource: arn('secretsmanager', 'secret:lake/token-AbCdEf'),
  },
  'fetch another secret': {
    action: 'secretsmanager:GetSecretValue',
    resource: arn('secretsmanager', 'secret:shop/other-AbCdEf'),
  },
  'start a job': { action: 'sqs:SendMessage', resource: arn('sqs', 'shop-bronze-one.fifo') },
  'take messages': { action: 'sqs:ReceiveMessage', resource: arn('sqs', 'shop-bronze-one.fifo') },
  'read dead letters': { action: 'sqs:ReceiveMessage', resource: arn('sqs', 'shop-dead.fifo') },
  'read by the key': { action: 'kms:Decrypt', resource: key },
  'write by the key': { action: 'kms:GenerateDataKey', resource: key },
  'read by another key': { action: 'kms:Decrypt', resource: arn('kms', 'key/of-others') },
  'give the key away': { action: 'kms:CreateGrant', resource: key },
  'change the key': { action: 'kms:PutKeyPolicy', resource: key },
  'remove the key': { action: 'kms:ScheduleKeyDeletion', resource: key },
  'read logs': { action: 'logs:GetLogEvents', resource: arn('logs', 'log-group:/moraine/shop:*') },
  'take another role': {
    action: 'sts:AssumeRole',
    resource: `arn:aws:iam::${account}:role/shop-read-engineers-${region}`,
  },
  'hand on a role': { action: 'iam:PassRole', resource: all.arn('BronzeOneRole') },
  'run as a function': { action: 'lambda:InvokeFunction', resource: all.arn('BronzeOneFunction') },
}

describe('whoever has a role', () => {
  const allowed = (role: string) =>
    Object.keys(TRIED)
      .filter((what) => isAllowed(rightsOf(role), TRIED[what] as Asked))
      .sort()

  it.each([
    [
      'AnalystsReader',
      [
        ...['ask as analysts', 'list gold/sum/', 'list results of analysts', 'list silver/one/'],
        ...['list all results', 'look at gold in Glue', 'read by the key', 'read gold/sum/'],
        ...['read results of analysts', 'read silver/one/', 'write by the key'],
      ],
    ],
    [
      'EngineersReader',
      [
        ...['ask as engineers', 'list _moraine/athena/one/', 'list bronze/landing/one/'],
        ...['list bronze/one/', 'list bronze/other/', 'list results of engineers'],
        ...['list all results', 'look at bronze in Glue', 'read _moraine/athena/one/'],
        ...['read bronze/landing/one/', 'read bronze/one/', 'read bronze/other/'],
        ...['read by the key', 'read results of engineers', 'see answers of engineers'],
        ...['see batches in Glue', 'write by the key'],
      ],
    ],
    [
      'RedshiftRole',
      ['list gold/sum/', 'look at gold in Glue', 'read by the key', 'read gold/sum/'],
    ],
    [
      'CrawlerRole',
      [
        ...['list bronze/one/', 'list bronze/other/', 'read bronze/one/', 'read bronze/other/'],
        'read by the key',
      ],
    ],
    ['SchedulerRole', ['read by the key', 'start a job', 'write by the key']],
    [
      'CatalogRole',
      [
        ...['_moraine/athena/one/', '_moraine/log/main/', 'external/ml/', 'gold/sum/']
          .concat('silver/one/', 'silver/other/')
          .flatMap((path) => [`list ${path}`, `read ${path}`]),
        ...['write _moraine/log/main/', 'write external/ml/', 'fetch the token', 'list all'],
        ...['read by the key', 'write by the key'],
      ],
    ],
  ] as const)('of %s reaches this and nothing else', (role, expected) => {
    expect(allowed(role)).toEqual([...expected].sort())
  })

  it.each(['AnalystsReader', 'EngineersReader'])(
    'of %s is let in by who may be it alone',
    (role) => {
      const { AssumeRolePolicyDocument: trust } = all.properties(role)
      expect(trust.Statement).toEqual([
        {
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${account}:root` },
          Action: 'sts:AssumeRole',
        },
      ])
    },
  )
})

it('lets services take roles that are for them, where they can say so for this lake alone', () => {
  const trusted = Object.fromEntries(
    all.of('AWS::IAM::Role').map((id) => {
      const [{ Principal, Condition }] = all.properties(id).AssumeRolePolicyDocument.Statement
      return [id, { by: Principal.Service, if: Condition }]
    }),
  )
  expect(trusted.SchedulerRole).toEqual({
    by: 'scheduler.amazonaws.com',
    if: {
      StringEquals: {
        'aws:SourceAccount': account,
        'aws:SourceArn': arn('scheduler', 'schedule-group/shop'),
      },
    },
  })
  // A workgroup of Redshift Serverless can't take a role that names Redshift alone.
  expect(trusted.RedshiftRole?.by).toEqual([
    'redshift-serverless.amazonaws.com',
    'redshift.amazonaws.com',
  ])
  expect(trusted.CrawlerRole?.by).toBe('glue.amazonaws.com')
})
