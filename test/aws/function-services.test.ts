import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { batchOf, bridged, FunctionProcess, packed, unpacked } from '../support/function.js'
import { type Ministack, ministackProgram, startMinistack } from '../support/ministack.js'
import { Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const PASSWORD = 'corr3ct horse'

const definition = `
import { createHash } from 'node:crypto'
import { after, bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const known = createHash('sha256').update(process.env.SHOP_PASSWORD ?? '').digest('hex')
if (process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE && known !== '${createHash('sha256').update(PASSWORD).digest('hex')}')
  throw new Error('this is another password')
const raw = bronze('orders', { from: inbox() })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: t.int() }), key: 'id' })
const total = gold('total', { query: sql\`select sum(amount) as amount from \${orders}\`, schedule: after(orders) })
export default defineLake({ name: 'shop', datasets: [total] })
`

withService('MinIO and MiniStack', [minioProgram, ministackProgram], () => {
  let server: Server
  let client: S3Client
  let cloud: Ministack
  let sqs: SQSClient
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['lakes']))
    cloud = await startMinistack()
    sqs = new SQSClient(cloud.client)
  }, 300_000)
  afterAll(async () => {
    await server.stop()
    await cloud.stop()
  })

  const queue = async (name: string) => {
    const Attributes = { FifoQueue: 'true' }
    const made = await sqs.send(new CreateQueueCommand({ QueueName: `${name}.fifo`, Attributes }))
    return made.QueueUrl as string
  }
  /** The one message that waits in a queue; `undefined` where none does. */
  const next = async (QueueUrl: string) => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MessageSystemAttributeNames: ['MessageGroupId'] }),
    )
    const [message] = Messages
    if (!message) return undefined
    const { ReceiptHandle, Body = '', Attributes } = message
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
    return { body: Body, group: Attributes?.MessageGroupId }
  }

  it('what is left, and jobs that run after others, are asked for by queues; secrets come from Secrets Manager', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const secrets = new SecretsManagerClient(cloud.client)
    const SecretString = JSON.stringify({ user: 'shop', password: PASSWORD })
    await secrets.send(new CreateSecretCommand({ Name: 'shop/database', SecretString }))
    const [own, other] = [await queue('orders'), await queue('total')]
    const folder = await unpacked(await packed(join(project.folder, 'lake.ts')))
    const lambda = await FunctionProcess.start(folder, {
      ...minioKeys,
      AWS_ENDPOINT_URL_S3: server.url,
      AWS_ENDPOINT_URL: cloud.url,
      MORAINE_ROOT: 's3://lakes/shop',
      MORAINE_QUEUES: JSON.stringify({ 'bronze.orders': own, 'gold.total': other }),
      MORAINE_SECRETS: JSON.stringify({ SHOP_PASSWORD: 'shop/database#password' }),
    })
    const Key = 'shop/bronze/landing/orders/a.csv'
    await client.send(
      new PutObjectCommand({ Bucket: 'lakes', Key, Body: 'id,amount\n1,10\n2,20\n' }),
    )
    // No time at all: the message is done with, and another one asks for what is left.
    const first = await lambda.invoke('inbox', batchOf(bridged('lakes', Key)), 0)
    expect([first.answer, first.error]).toEqual([{ batchItemFailures: [] }, undefined])
    const asked = await next(own)
    expect(asked?.group).toBe('bronze.orders')
    const left = { job: 'bronze.orders', cause: 'event', turn: 1, idle: 1 }
    expect(JSON.parse(asked?.body ?? '')).toEqual(left)
    const second = await lambda.invoke('inbox', batchOf(asked?.body ?? ''))
    expect([second.answer, second.error]).toEqual([{ batchItemFailures: [] }, undefined])
    expect(await next(own)).toBeUndefined()
    const after = await next(other)
    expect(JSON.parse(after?.body ?? '')).toEqual({ job: 'gold.total', cause: 'upstream', turn: 0 })
    await lambda.invoke('inbox', batchOf(after?.body ?? ''))
    expect(await next(other)).toBeUndefined()
    process.env.SHOP_PASSWORD = 'of this machine'
    const root = ['--root', `s3://lakes/shop?endpoint=${server.url}`]
    const { stdout } = await project.cli('query', 'SELECT * FROM gold.total', '--json', ...root)
    const [row] = JSON.parse(stdout)
    expect(Number(row.amount)).toBe(30)
    expect(lambda.text).not.toContain(PASSWORD)
  })

  it('a function whose secret is not there says which', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const folder = await unpacked(await packed(join(project.folder, 'lake.ts')))
    const lambda = await FunctionProcess.start(folder, {
      ...minioKeys,
      AWS_ENDPOINT_URL: cloud.url,
      MORAINE_ROOT: 's3://lakes/shop',
      MORAINE_SECRETS: JSON.stringify({ SHOP_PASSWORD: 'shop/none#password' }),
    })
    const { error } = await lambda.invoke('schedule', { job: 'bronze.orders' })
    expect(error).toContain(
      "The secret shop/none of Secrets Manager can't be read: there is none of this name",
    )
  })
})
