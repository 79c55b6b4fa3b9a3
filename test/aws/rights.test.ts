import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeFiles } from '../../examples/tickit/generate/files.js'
import { generate } from '../../examples/tpcds/generate/main.js'
import { aws, deployedJobs, rightsOf, template } from '../../src/aws/index.js'
import type { AwsDeploy } from '../../src/aws/options/aws.js'
import { jobId } from '../../src/aws/template/names.js'
import type { Lake } from '../../src/define/lake.js'
import { loadLake } from '../../src/load/load.js'
import { lakeProject } from '../support/deploying.js'
import { amount, sample } from '../support/effort.js'
import {
  type EnforcingCloud,
  type SeenCall,
  startEnforcingCloud,
} from '../support/enforcing-cloud.js'
import { batchOf, bridged, FunctionProcess, packed, unpacked } from '../support/function.js'
import { askedBy, askedByLambda } from '../support/iam/asked.js'
import { type Asked, isAllowed, subtractions } from '../support/iam/evaluate.js'
import { Reaching } from '../support/iam/reaching.js'
import { Resolved } from '../support/iam/resolve.js'
import { Staged } from '../support/iam/staged.js'
import { ministackProgram } from '../support/ministack.js'
import { Project, repository, temporaryFolder } from '../support/project.js'
import { withService } from '../support/services.js'

/** Actions that a run which goes well does not need, and what needs them; each has a test below. */
const SELDOM = [
  // A run whose time is up, or after which another job runs.
  'GoOn sqs:SendMessage',
  // An upload in parts that fails.
  'Write s3:AbortMultipartUpload',
]

/** For batches that expired and datasets that are gone: src/aws/glue/project.test.ts. */
const SELDOM_SHOWN = [
  'Catalog glue:BatchUpdatePartition',
  'Catalog glue:DeletePartition',
  'Catalog glue:DeleteTable',
]

/** Actions without which a run goes on, and what it leaves then. */
const LENIENT: Readonly<Record<string, string>> = {
  's3:DeleteObject': 'notes that the run lives and checkpoints stay, until a vacuum finds them',
}

/** Actions of a function's own, which the emulator refuses where they are taken away. */
const ENFORCED = [
  's3:ListBucket',
  's3:GetObject',
  's3:PutObject',
  's3:DeleteObject',
  's3:DeleteObjectVersion',
  's3:PutObjectLegalHold',
  's3:GetBucketObjectLockConfiguration',
  'sqs:SendMessage',
  'secretsmanager:GetSecretValue',
]

/** The same of the catalog, to whose address anybody may send something. */
const ENFORCED_OF_CATALOG = [
  's3:ListBucket',
  's3:GetObject',
  's3:PutObject',
  'secretsmanager:GetSecretValue',
]

/** The second one has 52 datasets, and takes a minute or two. */
const EXAMPLES = ['tickit', 'tpcds'] as const

const order = (id: number) =>
  JSON.stringify({
    ...{ order_id: id, order_last_updated: '2026-01-01 00:00:00', customer_id: 1 },
    ...{ order_status: 'COMPLETE', amount: 5 },
  })

withService('MiniStack', [ministackProgram], () => {
  let cloud: EnforcingCloud
  let s3: S3Client
  beforeAll(async () => {
    cloud = await startEnforcingCloud()
    s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
    const secrets = new SecretsManagerClient(cloud.client)
    await secrets.send(new CreateSecretCommand({ Name: 'lake/token', SecretString: 'open sesame' }))
    for (const Name of ['shop/database', 'shop/other'])
      await secrets.send(
        new CreateSecretCommand({ Name, SecretString: JSON.stringify({ password: 'secret' }) }),
      )
  })
  afterAll(() => cloud?.stop())

  const put = (Bucket: string, Key: string, Body: string | Buffer) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body }))
  const stage = (lake: Lake, deploy = aws({ region: 'us-east-1' })) => {
    const place = { account: cloud.account, region: cloud.region, url: cloud.url }
    return Staged.make(cloud, new Resolved(template(lake, deploy), place))
  }

  /** What a new function does with the rights of its role, and what it calls. */
  const invoke = async (
    { staged, folder, name }: { staged: Staged; folder: string; name: string },
    [handler, event, milliseconds]: readonly [string, unknown, (number | undefined)?],
  ) => {
    const variables = await staged.variablesOf(name)
    const lambda = await FunctionProcess.start(folder, variables)
    cloud.take()
    const { answer, error } = await lambda.invoke(handler, event, milliseconds)
    await lambda.kill()
    const calls = cloud.take().filter(({ key }) => key === variables.AWS_ACCESS_KEY_ID)
    const finished = lambda.lines.filter((line) => line.event === 'job finished')
    const isDone = finished.length > 0 && finished.every(({ outcome }) => outcome === 'done')
    return { answer, error, isDone, calls, text: lambda.text }
  }

  /** Holds calls against a role: all are allowed, and without each of its actions one is not. */
  const compare = (staged: Staged, name: string, calls: readonly SeenCall[]) => {
    const { resolved } = staged
    const { account, region } = cloud
    const key = resolved.arn('Key')
    const logGroup = resolved.arn('LogGroup')
    const hasQueue = resolved.of('AWS::SQS::Queue').includes(`${name}Queue`)
    const queue = hasQueue ? { queue: resolved.arn(`${name}Queue`) } : {}
    const asked: Asked[] = [
      ...calls.flatMap((call) => askedBy(call, { account, region, key })),
      ...askedByLambda({ logGroup, key, ...queue }),
    ]
    const own = resolved.statementsOf(`${name}Role`)
    const bucket = resolved.statementsOfPolicy('LakeBucketPolicy')
    expect(calls.filter(({ status }) => status === 403)).toEqual([])
    expect(asked.filter((one) => !isAllowed([...own, ...bucket], one))).toEqual([])
    return subtractions(own)
      .filter(({ left }) => asked.every((one) => isAllowed(left, one)))
      .map(({ what }) => what)
      .sort()
  }

  /** The orders example, deployed so far, and how orders arrive there. */
  let orders: Promise<{ staged: Staged; folder: string; name: string }> | undefined
  const staged = () => {
    orders ??= (async () => {
      const file = join(repository, 'examples/orders/lake.ts')
      const secrets = { SHOP_PASSWORD: 'shop/database#password' }
      const deploy = aws({ region: 'us-east-1', archiveLock: true, secrets })
      const made = await stage(await loadLake(file), deploy)
      return { staged: made, folder: await unpacked(await packed(file)), name: 'BronzeOrders' }
    })()
    return orders
  }
  let files = 0
  const arrived = async () => {
    const { bucket } = (await staged()).staged
    const key = `bronze/landing/orders/${++files}.jsonl`
    await put(bucket, key, order(files))
    return batchOf(bridged(bucket, key))
  }

  it('a run of the orders needs every action that its role has, and no other', async () => {
    const of = await staged()
    const { isDone, calls, text } = await invoke(of, ['inbox', await arrived()])
    expect(isDone, text).toBe(true)
    const idle = compare(of.staged, of.name, calls)
    expect(idle).toEqual(SELDOM)
    expect(calls.some(({ path }) => path.includes('legal-hold'))).toBe(true)
    const late = await invoke(of, ['inbox', await arrived(), 0])
    const left = compare(of.staged, of.name, [...calls, ...late.calls])
    expect(left).toEqual(['Write s3:AbortMultipartUpload'])
  })

  it.each(sample(ENFORCED, 1, 3))('a run of the orders without %s says so', async (action) => {
    const of = await staged()
    const giveBack = await of.staged.without('BronzeOrdersRole', action)
    const time = action === 'sqs:SendMessage' ? 0 : undefined
    const { answer, error, isDone, text, calls } = await invoke(of, [
      'inbox',
      await arrived(),
      time,
    ])
    await giveBack()
    expect(calls.some(({ status }) => status === 403 || status === 400)).toBe(true)
    expect(isDone && answer.batchItemFailures.length === 0, text).toBe(action in LENIENT)
    if (!(action in LENIENT)) expect(`${error}${text}`).toContain(action)
    // With it, what was left is taken up.
    const again = await invoke(of, ['inbox', await arrived()])
    expect(again.isDone, again.text).toBe(true)
  })

  it('the projection of a lake needs every action of its role but three, and no other', async () => {
    const project = await lakeProject('shown')
    const file = join(project.folder, 'lake.ts')
    const lake = await loadLake(file)
    const made = await stage(lake, lake.deploy as AwsDeploy)
    const folder = await unpacked(await packed(file))
    const job = { staged: made, folder, name: 'BronzeOrders' }
    const calls: SeenCall[] = []
    // What comes to a table that is there is held against what it has.
    for (let n = 1; n <= 2; n++) {
      const key = `bronze/landing/orders/${n}.jsonl`
      await put(made.bucket, key, JSON.stringify({ id: n, amount: '2.50' }))
      const ran = await invoke(job, ['inbox', batchOf(bridged(made.bucket, key))])
      expect(ran.isDone, ran.text).toBe(true)
      const shown = await invoke({ ...job, name: 'Projection' }, ['project', { Records: [] }])
      const done = [undefined, { batchItemFailures: [] }]
      expect([shown.error, shown.answer], shown.text).toEqual(done)
      calls.push(...shown.calls)
    }
    expect(calls.some(({ headers }) => headers['x-amz-target'] === 'AWSGlue.CreateTable')).toBe(
      true,
    )
    expect(compare(made, 'Projection', calls)).toEqual(SELDOM_SHOWN)
  })

  it('the catalog needs every action of its role, and leaves nothing that it should remove', async () => {
    const options = "region: 'us-east-1', catalog: true, secrets: { MORAINE_TOKEN: 'lake/token' }"
    const project = await lakeProject('open', options)
    const file = join(project.folder, 'lake.ts')
    const lake = await loadLake(file)
    const made = await stage(lake, lake.deploy as AwsDeploy)
    const folder = await unpacked(await packed(file))
    await put(made.bucket, 'bronze/landing/orders/1.jsonl', JSON.stringify({ id: 1, amount: '2' }))
    const job = { staged: made, folder, name: 'BronzeOrders' }
    expect(await invoke(job, ['schedule', { job: 'bronze.orders' }])).toMatchObject({
      isDone: true,
    })

    const variables = await made.variablesOf('Catalog')
    const lambda = await FunctionProcess.start(folder, variables)
    cloud.take()
    const send = (to: FunctionProcess, path: string, body?: object) => {
      const method = body ? 'POST' : 'GET'
      const http = { method, path: `/iceberg/v1/${path}`, sourceIp: '203.0.113.7' }
      return to.invoke('catalog', {
        ...{ version: '2.0', rawPath: http.path, rawQueryString: '', isBase64Encoded: false },
        headers: { authorization: 'Bearer open sesame', 'content-type': 'application/json' },
        requestContext: { domainName: 'abc.lambda-url.us-east-1.on.aws', http },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    }
    const ask = async (path: string, body?: object) => {
      const { answer, error } = await send(lambda, path, body)
      expect([error, answer?.statusCode], `${answer?.body}`).toEqual([undefined, 200])
    }
    await ask('namespaces/silver/tables/orders')
    await ask('namespaces', { namespace: ['ml'], properties: {} })
    const fields = [{ id: 1, name: 'id', type: 'long', required: false }]
    await ask('namespaces/ml/tables', { name: 'scores', schema: { type: 'struct', fields } })
    for (let n = 1; n <= 5; n++)
      await ask('namespaces/ml/tables/scores', {
        requirements: [],
        updates: [{ action: 'set-properties', updates: { n: String(n) } }],
      })
    await lambda.kill()
    const calls = cloud.take().filter(({ key }) => key === variables.AWS_ACCESS_KEY_ID)
    expect(compare(made, 'Catalog', calls)).toEqual(['Write s3:AbortMultipartUpload'])
    for (const action of sample(ENFORCED_OF_CATALOG, 1, 2)) {
      const giveBack = await made.without('CatalogRole', action)
      const less = await FunctionProcess.start(folder, await made.variablesOf('Catalog'))
      const { answer, error } = await send(less, 'namespaces/ml/tables/scores', {
        requirements: [],
        updates: [{ action: 'set-properties', updates: { without: action } }],
      })
      await less.kill()
      await giveBack()
      expect(error ?? answer?.statusCode, action).not.toBe(200)
    }
    const removed = calls.filter(({ method }) => method === 'DELETE').map(({ path }) => path)
    for (const of of ['audit', 'checkpoints'])
      expect(removed.filter((path) => path.includes(`/_moraine/${of}/`))).not.toEqual([])
    // It writes no rows of the lake's own tables, which no engine may change.
    const reaching = new Reaching(cloud, made, await made.keysOf('CatalogRole'))
    await reaching.expectAllowed('write', 'external/ml/')
    // Nor what workers run, nor lists that lead Athena to files.
    for (const path of ['silver/orders/', 'gold/total/', 'bronze/orders/', 'archive/orders/'])
      await reaching.expectRefused('write', path)
    for (const path of ['_moraine/definitions/', '_moraine/athena/orders/', '_moraine/runs/'])
      await reaching.expectRefused('write', path)
    for (const path of ['external/ml/', '_moraine/log/main/', 'silver/orders/'])
      await reaching.expectRefused('remove', path)
  })

  /** Files of an example in a bucket of their own, in small. */
  const FILES = {
    tickit: async () =>
      makeFiles(2008, 0.01).map(
        ({ name, text }) => [name, text.split('\n').slice(0, 500).join('\n')] as const,
      ),
    tpcds: async () => {
      const folder = await temporaryFolder()
      await generate(folder, 0.002)
      const names = (await readdir(folder)).filter((name) => name.includes('.dat'))
      return Promise.all(
        names.map(async (name) => [name, await readFile(join(folder, name))] as const),
      )
    },
  }
  it.each(EXAMPLES.slice(0, amount(1, 1, 2)))(
    'a run of %s out of a bucket needs every action of its role, and no other',
    async (example) => {
      const Bucket = `${example}-files`
      await s3.send(new CreateBucketCommand({ Bucket }))
      for (const [name, content] of await FILES[example]()) await put(Bucket, `in/${name}`, content)
      const variable = `${example.toUpperCase()}_DATA`
      process.env[variable] = `s3://${Bucket}/in`
      const file = join(repository, `examples/${example}/lake.ts`)
      const environment = { [variable]: `s3://${Bucket}/in` }
      const made = await stage(await loadLake(file), aws({ region: 'us-east-1', environment }))
      const of = { staged: made, folder: await unpacked(await packed(file)), name: 'ByHand' }
      const { error, isDone, calls, text } = await invoke(of, ['schedule', { job: 'by-hand' }])
      expect(isDone, error ?? text).toBe(true)
      expect(compare(made, of.name, calls)).toEqual(SELDOM)
    },
  )

  it('a job whose files come from one bucket and go to another needs every right to them', async () => {
    for (const Bucket of ['drop', 'reports']) await s3.send(new CreateBucketCommand({ Bucket }))
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await s3.send(new PutBucketVersioningCommand({ Bucket: 'drop', VersioningConfiguration }))
    const project = await Project.create({ 'lake.ts': BETWEEN })
    const file = join(project.folder, 'lake.ts')
    const made = await stage(await loadLake(file), aws({ region: 'us-east-1' }))
    const of = { staged: made, folder: await unpacked(await packed(file)), name: 'BronzeOrders' }
    const calls: SeenCall[] = []
    // What a run writes is what the one after the next removes.
    for (let n = 1; n <= 3; n++) {
      await put('drop', `orders/${n}.jsonl`, JSON.stringify({ id: 1, version: n }))
      const ran = await invoke(of, ['inbox', batchOf(bridged('drop', `orders/${n}.jsonl`))])
      expect(ran.isDone, ran.text).toBe(true)
      expect(ran.text).not.toContain('"outcome":"failed"')
      calls.push(...ran.calls)
    }
    expect(compare(made, of.name, calls)).toEqual([
      ...SELDOM,
      'WriteExports s3:AbortMultipartUpload',
    ])
    const reaching = new Reaching(cloud, made, await made.keysOf('BronzeOrdersRole'))
    for (const place of ['s3://drop/', 's3://reports/']) await reaching.expectRefused('list', place)
  })

  it('a job reaches nothing of another: no prefix, no queue, no secret', async () => {
    const project = await Project.create({ 'lake.ts': PAIR })
    const lake = await loadLake(join(project.folder, 'lake.ts'))
    const deploy = aws({ region: 'us-east-1' })
    const pair = await stage(lake, deploy)
    const jobs = deployedJobs(lake)
    expect(jobs.map(({ name }) => name)).toEqual(['bronze.one', 'bronze.other'])
    for (const job of jobs) {
      const other = jobs.find((one) => one !== job) as (typeof jobs)[0]
      const [own, others] = [job, other].map((one) => rightsOf(lake, deploy, one))
      const keys = await pair.keysOf(`${jobId(job)}Role`)
      const of = new Reaching(cloud, pair, keys)
      for (const folder of own?.writes ?? []) await of.expectAllowed('write', folder)
      const strange = others?.writes.filter((folder) => !own?.writes.includes(folder)) ?? []
      expect(strange).toContain(`silver/${other.name.split('.')[1]}/`)
      for (const folder of strange)
        for (const how of ['read', 'write', 'remove', 'list', 'abort'] as const)
          await of.expectRefused(how, folder)
      await of.expectRefused('send', `pair-${other.name.replace('.', '-')}`)
      await of.expectAllowed('send', `pair-${job.name.replace('.', '-')}`)
      await of.expectAllowed('secret', own?.secrets[0] ?? '')
      await of.expectRefused('secret', others?.secrets[0] ?? '')
      // What was committed stays, and so does what another run has written.
      await of.expectRefused('remove', '_moraine/log/main/')
      await of.expectRefused('remove', `silver/${job.name.split('.')[1]}/`)
      await of.expectAllowed('abort', `silver/${job.name.split('.')[1]}/`)
    }
  })
})

const BETWEEN = `
import { bronze, defineLake, folder, silver, t, warehouse, z } from 'moraine'
import { inbox } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: inbox({ format: 'jsonl', path: 's3://drop/orders' }) }),
  schema: z.object({ id: t.bigint(), version: t.bigint() }),
  key: 'id',
  cursor: 'version',
})
export default defineLake({
  name: 'between',
  datasets: [orders],
  exports: [warehouse(folder('s3://reports/shop', { keep: '1s' }), { tables: [orders] })],
})
`

const PAIR = `
import { bronze, defineLake, every, silver, t, z } from 'moraine'
import { postgres, secret } from 'moraine/sources'
const chain = (name, password) => silver(name, {
  from: bronze(name, {
    from: postgres({ host: 'db', user: 'shop', password: secret(password) }).table('shop.' + name, { key: 'id', cursor: 'id' }),
    schedule: every('1h'),
  }),
  schema: z.object({ id: t.bigint() }),
  key: 'id',
})
export default defineLake({
  name: 'pair',
  datasets: [chain('one', 'aws-secrets:shop/database#password'), chain('other', 'aws-secrets:shop/other#password')],
})
`
