import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, it, onTestFinished } from 'vitest'
import { Project, repository } from '../support/project.js'
import { motoProgram, startMoto } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('Moto', [motoProgram], () => {
  it('hears from a queue of SQS that objects have arrived, and empties both', async () => {
    const { url: endpoint, stop } = await startMoto()
    onTestFinished(stop)
    const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_REGION: 'us-east-1' }
    const credentials = { accessKeyId: 'k', secretAccessKey: 's' }
    const config = { endpoint, region: 'us-east-1', credentials }
    const s3 = new S3Client({ ...config, forcePathStyle: true })
    const sqs = new SQSClient(config)
    await s3.send(new CreateBucketCommand({ Bucket: 'drop' }))
    const VersioningConfiguration = { Status: 'Enabled' as const }
    await s3.send(new PutBucketVersioningCommand({ Bucket: 'drop', VersioningConfiguration }))
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'arrivals' }))
    const asked = {
      QueueUrl,
      AttributeNames: ['QueueArn' as const, 'ApproximateNumberOfMessages' as const],
    }
    const attributes = async () =>
      (await sqs.send(new GetQueueAttributesCommand(asked))).Attributes ?? {}
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: 'drop',
        NotificationConfiguration: {
          QueueConfigurations: [
            { QueueArn: (await attributes()).QueueArn, Events: ['s3:ObjectCreated:*'] },
          ],
        },
      }),
    )
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ path: 's3://drop/in/?endpoint=${endpoint}', queue: '${QueueUrl}' }) })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })
`,
    })
    const args = [
      join(repository, 'bin/moraine.js'),
      '-C',
      project.folder,
      'serve',
      '--port',
      '0',
      '--every',
      '3600',
    ]
    const env = { ...process.env, ...keys, AWS_ENDPOINT_URL: endpoint }
    const child: ChildProcess = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let said = ''
    child.stdout?.on('data', (chunk) => {
      said += chunk
    })
    await expect.poll(() => said).toContain('"listening"')
    for (let i = 0; i < 3; i++)
      await s3.send(
        new PutObjectCommand({ Bucket: 'drop', Key: `in/${i} ä.csv`, Body: `id\n${i}\n` }),
      )
    await expect
      .poll(
        async () => (await project.query('SELECT id FROM silver.orders').catch(() => [])).length,
      )
      .toBe(3)
    await expect.poll(async () => (await attributes()).ApproximateNumberOfMessages).toBe('0')
    child.kill('SIGTERM')
    expect(await new Promise((done) => child.once('exit', done))).toBe(0)
    expect(said).not.toContain('"warning"')
  })
})
