import {
  CreateBucketCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, it, onTestFinished } from 'vitest'
import { ministackProgram, startMinistack } from '../support/ministack.js'
import { withService } from '../support/services.js'

withService('MiniStack', [ministackProgram], () => {
  for (const auth of [false, true])
    it(`has buckets and queues, ${auth ? 'for keys that it knows' : 'for everybody'}`, async () => {
      const cloud = await startMinistack({ auth })
      onTestFinished(cloud.stop)
      const s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
      await s3.send(new CreateBucketCommand({ Bucket: 'lake' }))
      await s3.send(new PutObjectCommand({ Bucket: 'lake', Key: 'a', Body: 'b' }))
      const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
      expect(Buckets.map(({ Name }) => Name)).toEqual(['lake'])
      const sqs = new SQSClient(cloud.client)
      const { QueueUrl } = await sqs.send(
        new CreateQueueCommand({ QueueName: 'work.fifo', Attributes: { FifoQueue: 'true' } }),
      )
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
      )
      expect(Attributes?.QueueArn).toBe(`arn:aws:sqs:us-east-1:${cloud.account}:work.fifo`)

      const stranger = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wrong' }
      const other = new S3Client({ ...cloud.client, forcePathStyle: true, credentials: stranger })
      const listed = other.send(new ListBucketsCommand({})).then(
        () => true,
        () => false,
      )
      expect(await listed).toBe(!auth)
    })
})
