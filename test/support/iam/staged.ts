import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  DeleteRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import type { EnforcingCloud } from '../enforcing-cloud.js'
import type { Resolved } from './resolve.js'

/** What templates say of a lake in a cloud, but for its functions: buckets, queues and roles. */
export class Staged {
  private readonly iam: IAMClient

  private constructor(
    private readonly cloud: EnforcingCloud,
    readonly resolved: Resolved,
  ) {
    this.iam = new IAMClient(cloud.client)
  }

  static async make(cloud: EnforcingCloud, resolved: Resolved): Promise<Staged> {
    const staged = new Staged(cloud, resolved)
    for (const id of ['LakeBucket', 'ResultsBucket']) await staged.makeBucket(id)
    const sqs = new SQSClient(cloud.client)
    for (const id of resolved.of('AWS::SQS::Queue')) {
      const { QueueName, FifoQueue } = resolved.properties(id)
      const Attributes = FifoQueue ? { FifoQueue: 'true', ContentBasedDeduplication: 'true' } : {}
      await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))
    }
    for (const id of resolved.of('AWS::IAM::Role')) await staged.makeRole(id)
    return staged
  }

  get bucket(): string {
    return this.resolved.properties('LakeBucket').BucketName
  }

  get results(): string {
    return this.resolved.properties('ResultsBucket').BucketName
  }

  private async makeBucket(id: string): Promise<void> {
    const s3 = new S3Client({ ...this.cloud.client, forcePathStyle: true })
    const {
      BucketName: Bucket,
      ObjectLockEnabled: ObjectLockEnabledForBucket,
      VersioningConfiguration,
    } = this.resolved.properties(id)
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket }))
    if (VersioningConfiguration)
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
    const { PolicyDocument } = this.resolved.properties(`${id}Policy`)
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(PolicyDocument) }))
  }

  /** Whoever has this account may take it, as Lambda may in AWS. */
  private async makeRole(id: string): Promise<void> {
    const { RoleName, ManagedPolicyArns } = this.resolved.properties(id)
    const AssumeRolePolicyDocument = document([
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${this.cloud.account}:root` },
        Action: 'sts:AssumeRole',
      },
    ])
    await this.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }))
    for (const policy of ManagedPolicyArns) {
      const { ManagedPolicyName, PolicyDocument } = this.resolved.properties(policy)
      const { Policy } = await this.iam.send(
        new CreatePolicyCommand({
          PolicyName: ManagedPolicyName,
          PolicyDocument: JSON.stringify(PolicyDocument),
        }),
      )
      await this.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: Policy?.Arn }))
    }
  }

  /** Keys of a role, as its function has them. */
  async keysOf(role: string): Promise<Record<string, string>> {
    const RoleArn = this.resolved.arn(role)
    const { Credentials } = await new STSClient(this.cloud.client).send(
      new AssumeRoleCommand({ RoleArn, RoleSessionName: 'function' }),
    )
    return {
      AWS_ACCESS_KEY_ID: Credentials?.AccessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: Credentials?.SecretAccessKey ?? '',
      AWS_SESSION_TOKEN: Credentials?.SessionToken ?? '',
    }
  }

  /** What a function is started with. */
  async variablesOf(name: string): Promise<Record<string, string>> {
    const { Variables } = this.resolved.properties(`${name}Function`).Environment
    const keys = await this.keysOf(`${name}Role`)
    return { ...Variables, ...keys, AWS_ENDPOINT_URL: this.cloud.url }
  }

  /** Takes an action away from a role, until what it returns is called. */
  async without(role: string, action: string): Promise<() => Promise<void>> {
    const { RoleName } = this.resolved.properties(role)
    const named = { RoleName, PolicyName: 'taken-away' }
    const PolicyDocument = document([{ Effect: 'Deny', Action: action, Resource: '*' }])
    await this.iam.send(new PutRolePolicyCommand({ ...named, PolicyDocument }))
    return async () => void (await this.iam.send(new DeleteRolePolicyCommand(named)))
  }
}

const document = (Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
