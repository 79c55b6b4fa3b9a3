import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { GetTablesCommand, GlueClient, type Table, UpdateTableCommand } from '@aws-sdk/client-glue'
import {
  GetFunctionUrlConfigCommand,
  InvokeCommand,
  LambdaClient,
  UpdateFunctionUrlConfigCommand,
} from '@aws-sdk/client-lambda'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deploy } from '../support/deploying.js'
import { type EnforcingCloud, startEnforcingCloud } from '../support/enforcing-cloud.js'
import { ownArch } from '../support/function.js'
import { ministackKeys, ministackProgram } from '../support/ministack.js'
import { Project, repository } from '../support/project.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'

const TOKEN = 'open sesame'
const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'

const raw = bronze('orders', { from: inbox({ format: 'jsonl', columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.decimal(12, 2) }),
  key: 'id',
})
const total = gold('total', { query: sql\`select count(*) as orders from \${orders}\` })
const large = gold('large', { query: sql\`select id from \${orders} where amount > 5\`, view: true })

export default defineLake({
  name: 'shown',
  datasets: [total, large],
  deploy: aws({
    region: 'us-east-1',
    architecture: '${ownArch}',
    catalog: true,
    secrets: { MORAINE_TOKEN: 'lake/token' },
  }),
})
`
const Bucket = 'shown-lake-000000000000-us-east-1'

// Roles and policies are enforced: what the functions do is what their roles allow.
withService('MiniStack', [ministackProgram], () => {
  let cloud: EnforcingCloud
  let s3: S3Client
  let glue: GlueClient
  let lambda: LambdaClient
  beforeAll(async () => {
    cloud = await startEnforcingCloud()
    s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
    glue = new GlueClient(cloud.client)
    lambda = new LambdaClient(cloud.client)
    await new SecretsManagerClient(cloud.client).send(
      new CreateSecretCommand({ Name: 'lake/token', SecretString: TOKEN }),
    )
  })
  afterAll(() => cloud?.stop())

  const put = (name: string, ids: readonly number[]) =>
    s3.send(
      new PutObjectCommand({
        Bucket,
        Key: `bronze/landing/orders/${name}`,
        Body: ids.map((id) => JSON.stringify({ id, amount: '7.50' })).join('\n'),
      }),
    )
  /** Tables of a database by name; none where it is not there. */
  const tables = async (DatabaseName: string): Promise<Record<string, Table>> => {
    const found = await glue.send(new GetTablesCommand({ DatabaseName })).catch((error) => {
      if (error.name === 'EntityNotFoundException') return { TableList: [] }
      throw error
    })
    return Object.fromEntries((found.TableList ?? []).map((one) => [one.Name, one]))
  }
  const pointer = async () =>
    (await tables('shown_silver')).orders?.Parameters?.metadata_location as string
  const commits = async () => {
    const Prefix = '_moraine/log/main/'
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }))
    return Contents.map(({ Key }) => Key as string)
  }
  const waiting = async () => {
    const sqs = new SQSClient(cloud.client)
    const counts = ['projection.fifo', 'bronze-orders.fifo', 'dead.fifo'].map(async (name) => {
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: `shown-${name}` }))
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      )
      return (
        Number(Attributes.ApproximateNumberOfMessages) +
        Number(Attributes.ApproximateNumberOfMessagesNotVisible)
      )
    })
    return Promise.all(counts)
  }
  const settled = () =>
    until('all messages are done with', async () => (await waiting()).every((count) => count === 0))
  const invoke = async (payload: unknown) => {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: 'shown-projection', Payload: JSON.stringify(payload) }),
    )
    return { answer: JSON.parse(Buffer.from(Payload ?? []).toString()), FunctionError }
  }

  it('a commit of a run moves the pointer of Glue, and the view is shown, too', async () => {
    const { code, stderr } = await deploy(await Project.create({ 'lake.ts': lake }), cloud)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    await put('a.jsonl', [1, 2])
    await until('the table is in Glue', async () => (await pointer()) !== undefined)
    await settled()
    const first = await pointer()
    expect(first).toMatch(`s3://${Bucket}/silver/orders/metadata/`)
    expect(Object.keys(await tables('shown_gold')).sort()).toEqual(['large', 'total'])
    await put('b.jsonl', [3])
    await until('the pointer has moved', async () => (await pointer()) !== first)
    await settled()
    expect(Object.keys(await tables('shown_bronze'))).toEqual(['orders'])
  })

  it('messages that come twice or in disorder change nothing, and an edit is mended', async () => {
    const keys = (await commits()).toReversed()
    const event = (key: string) => ({
      messageId: key,
      body: JSON.stringify({
        source: 'aws.s3',
        detail: { bucket: { name: Bucket }, object: { key } },
      }),
    })
    const Records = [...keys, ...keys, 'nonsense'].slice(0, 10).map(event)
    const before = await tables('shown_silver')
    const done = { answer: { batchItemFailures: [] }, FunctionError: undefined }
    expect(await Promise.all([invoke({ Records }), invoke({ Records })])).toEqual([done, done])
    expect(await tables('shown_silver')).toEqual(before)
    const { Name, Parameters, StorageDescriptor, TableType } = before.orders as Table
    await glue.send(
      new UpdateTableCommand({
        DatabaseName: 'shown_silver',
        TableInput: {
          ...{ Name, TableType, Parameters },
          StorageDescriptor: { ...StorageDescriptor, Columns: [{ Name: 'id', Type: 'string' }] },
        },
      }),
    )
    expect(await invoke({})).toEqual(done)
    expect((await tables('shown_silver')).orders?.StorageDescriptor).toEqual(StorageDescriptor)
  })

  it('what a run costs is told by what was measured', async () => {
    const project = await Project.create({ 'lake.ts': lake })
    const { stdout, code } = await deploy(project, cloud, ['--diff', '--no-drift'])
    expect({ code, stdout }).toMatchObject({ code: 0 })
    const lines = stdout.slice(stdout.indexOf('Cost')).split('\n')
    expect(lines[1]).toMatch(/\$0\.000\d+ a run of bronze\.orders \(2 a day; measured\)/)
    expect(lines[2]).toMatch(/\$0\.\d+ a day; \$1\.\d\d a month, with \S+ \S+ of tables/)
    expect(lines[3]).toMatch(/prices of us-east-1 of 20\d\d\S* to 20\d\d-\d\d-\d\d:/)
  })

  const catalogUrl = async () => {
    const FunctionName = 'shown-catalog'
    const { FunctionUrl = '', InvokeMode } = await lambda.send(
      new GetFunctionUrlConfigCommand({ FunctionName }),
    )
    // The emulator's runtime of Node has no answers in a stream, which `catalog.test.ts` looks at.
    if (InvokeMode !== 'BUFFERED')
      await lambda.send(
        new UpdateFunctionUrlConfigCommand({ FunctionName, InvokeMode: 'BUFFERED' }),
      )
    // Names of Amazon's are no names of this machine: the emulator has the same by a path.
    return `${cloud.url}/_aws/lambda-url/${new URL(FunctionUrl).host.split('.')[0]}/iceberg`
  }

  it('the catalog answers at an address of its own those who show the token, and nobody else', async () => {
    const url = await catalogUrl()
    const ask = async (path: string, token?: string) => {
      const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
      const answer = await fetch(`${url}/v1/${path}`, { headers })
      return { status: answer.status, body: (await answer.json()) as any }
    }
    expect(await ask('config', TOKEN)).toMatchObject({ status: 200, body: { defaults: {} } })
    expect((await ask('config')).status).toBe(401)
    expect((await ask('namespaces/silver/tables/orders', 'wrong')).status).toBe(401)
    const { status, body } = await ask('namespaces/silver/tables/orders', TOKEN)
    expect(status).toBe(200)
    expect(body['metadata-location']).toBe(await pointer())
  })

  const { MORAINE_PYTHON } = process.env
  withService('PyIceberg', [MORAINE_PYTHON], () => {
    it('reads and writes through it', async () => {
      const script = join(repository, 'test/aws/catalog_pyiceberg.py')
      const { stdout } = await promisify(execFile)(
        MORAINE_PYTHON as string,
        [script, await catalogUrl(), TOKEN, cloud.url],
        { env: { ...process.env, ...ministackKeys, AWS_REGION: 'us-east-1' } },
      )
      expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toEqual({
        ids: [1, 2, 3],
        scores: [0.5, 1.5],
        tables: ['ml.scores'],
      })
    })
  })
})
