import { AthenaClient, StartQueryExecutionCommand } from '@aws-sdk/client-athena'
import {
  GetPartitionsCommand,
  GetTableCommand,
  GetTablesCommand,
  GlueClient,
  UpdateTableCommand,
} from '@aws-sdk/client-glue'
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetQueueUrlCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect } from 'vitest'
import type { EnforcingCloud } from '../enforcing-cloud.js'
import type { Staged } from './staged.js'

/** What somebody reaches with keys of a role. */
export class Reaching {
  private readonly s3: S3Client
  private readonly sqs: SQSClient
  private readonly secrets: SecretsManagerClient
  private readonly glue: GlueClient
  private readonly athena: AthenaClient

  constructor(
    private readonly cloud: EnforcingCloud,
    private readonly staged: Staged,
    keys: Record<string, string>,
  ) {
    const credentials = {
      accessKeyId: keys.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: keys.AWS_SECRET_ACCESS_KEY ?? '',
      sessionToken: keys.AWS_SESSION_TOKEN ?? '',
    }
    const all = { ...cloud.client, credentials }
    this.s3 = new S3Client({ ...all, forcePathStyle: true })
    this.sqs = new SQSClient(all)
    this.secrets = new SecretsManagerClient(all)
    this.glue = new GlueClient(all)
    this.athena = new AthenaClient(all)
  }

  async expectAllowed(how: keyof Reaching['ways'], what: string): Promise<void> {
    expect(await this.reaches(how, what), `${how} ${what}`).toBe('allowed')
  }

  async expectRefused(how: keyof Reaching['ways'], what: string): Promise<void> {
    expect(await this.reaches(how, what), `${how} ${what}`).toBe('refused')
  }

  private async reaches(how: keyof Reaching['ways'], what: string) {
    const answered = await this.ways[how](what).then(
      () => 'allowed',
      (error) => error.name as string,
    )
    return /AccessDenied/.test(answered) ? 'refused' : answered
  }

  private readonly ways = {
    read: (folder: string) => this.s3.send(new GetObjectCommand(this.at(folder))),
    write: (folder: string) =>
      this.s3.send(new PutObjectCommand({ ...this.at(folder), Body: 'x' })),
    remove: (folder: string) => this.s3.send(new DeleteObjectCommand(this.at(folder))),
    list: (of: string) => {
      const [, bucket = this.staged.bucket, Prefix] = /^(?:s3:\/\/([^/]+)\/)?(.*)$/.exec(of) ?? []
      return this.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }))
    },
    abort: async (folder: string) => {
      const root = new S3Client({ ...this.cloud.client, forcePathStyle: true })
      const { UploadId } = await root.send(new CreateMultipartUploadCommand(this.at(folder)))
      return this.s3.send(new AbortMultipartUploadCommand({ ...this.at(folder), UploadId }))
    },
    send: async (queue: string) => {
      const root = new SQSClient(this.cloud.client)
      const QueueName = `${queue}.fifo`
      const { QueueUrl } = await root.send(new GetQueueUrlCommand({ QueueName }))
      const message = { QueueUrl, MessageBody: '{}', MessageGroupId: queue }
      return this.sqs.send(new SendMessageCommand(message))
    },
    secret: (SecretId: string) => this.secrets.send(new GetSecretValueCommand({ SecretId })),
    look: (table: string) => this.glue.send(new GetTableCommand(inCatalog(table))),
    tables: (DatabaseName: string) => this.glue.send(new GetTablesCommand({ DatabaseName })),
    batches: (table: string) => {
      const { DatabaseName, Name: TableName } = inCatalog(table)
      return this.glue.send(new GetPartitionsCommand({ DatabaseName, TableName }))
    },
    advance: (table: string) => {
      const { DatabaseName, Name } = inCatalog(table)
      return this.glue.send(new UpdateTableCommand({ DatabaseName, TableInput: { Name } }))
    },
    ask: (WorkGroup: string) =>
      this.athena.send(
        new StartQueryExecutionCommand({
          ...{ WorkGroup, QueryString: 'select 1' },
          ResultConfiguration: { OutputLocation: `s3://${this.staged.results}/` },
        }),
      ),
    result: (Key: string) =>
      this.s3.send(new PutObjectCommand({ Bucket: this.staged.results, Key, Body: 'x' })),
    answer: (Key: string) =>
      this.s3.send(new GetObjectCommand({ Bucket: this.staged.results, Key })),
    place: () => this.s3.send(new GetBucketLocationCommand({ Bucket: this.staged.results })),
  }

  private at = (folder: string) => ({ Bucket: this.staged.bucket, Key: `${folder}one/of-them` })
}

/** `database.table` as Glue takes it. */
function inCatalog(table: string): { DatabaseName: string; Name: string } {
  const [DatabaseName = '', Name = ''] = table.split('.')
  return { DatabaseName, Name }
}
