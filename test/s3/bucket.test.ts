import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { moraine, Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ path: 'drop', settle: '0ms' }), archive: true, keep: '90 days' })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })
`

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets([]))
    await client.send(
      new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }),
    )
  })
  afterAll(() => server.stop())

  const project = () => Project.create({ 'lake.ts': lake, 'drop/a.csv': 'id\n1\n' })
  const root = (prefix: string) => `s3://locked/${prefix}?endpoint=${server.url}`

  it('keeps what is archived from being removed where the bucket has object lock', async () => {
    const { folder } = await project()
    const run = await moraine(['-C', folder, '--root', root('lake'), 'run'], minioKeys)
    expect([run.code, run.stderr]).toEqual([0, ''])
    const listed = await client.send(
      new ListObjectVersionsCommand({ Bucket: 'locked', Prefix: 'lake/' }),
    )
    const versions = (listed.Versions ?? []).map(({ Key = '', VersionId }) => ({ Key, VersionId }))
    const archived = versions.filter(({ Key }) => Key.startsWith('lake/archive/orders/files/'))
    expect(archived).toHaveLength(1)
    const remove = (object: (typeof versions)[number] | undefined) =>
      client.send(new DeleteObjectCommand({ Bucket: 'locked', ...(object as { Key: string }) }))
    await expect(remove(archived[0])).rejects.toThrow(/WORM|lock|denied/i)
    // What vacuum may remove is not held.
    const other = versions.find(({ Key }) => Key.startsWith('lake/silver/'))
    await expect(remove(other)).resolves.toBeDefined()
  })

  it('gets rules that follow from the lake, beside those of others', async () => {
    const { folder } = await project()
    const cli = (...args: string[]) =>
      moraine(['-C', folder, '--root', root('lake'), 'lifecycle', ...args], minioKeys)
    const shown = await cli()
    const { Rules } = JSON.parse(shown.stdout)
    expect(Rules).toEqual([
      {
        ID: 'moraine lake: unfinished uploads',
        Status: 'Enabled',
        Filter: { Prefix: 'lake/' },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      },
      {
        ID: 'moraine lake: removed objects',
        Status: 'Enabled',
        Filter: { Prefix: 'lake/' },
        NoncurrentVersionExpiration: { NoncurrentDays: 30 },
        Expiration: { ExpiredObjectDeleteMarker: true },
      },
      {
        ID: 'moraine lake: archive of orders',
        Status: 'Enabled',
        Filter: { Prefix: 'lake/archive/orders/files/' },
        Transitions: [{ Days: 90, StorageClass: 'GLACIER_IR' }],
      },
    ])
    const theirs = {
      ID: 'theirs',
      Status: 'Enabled' as const,
      Filter: { Prefix: 'logs/' },
      Expiration: { Days: 5 },
    }
    await client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: 'locked',
        LifecycleConfiguration: { Rules: [theirs] },
      }),
    )
    const there = async () =>
      (await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: 'locked' }))).Rules
    // MinIO has no classes of its own, and clears unfinished uploads away by itself.
    for (const removed of ['30d', '14 days']) {
      const applied = await cli('--class', 'none', '--removed', removed, '--apply')
      expect([applied.code, applied.stdout]).toEqual([
        0,
        '✔ Applied 1 rule to locked; 1 other rule kept\n! the bucket does not support: moraine lake: unfinished uploads\n',
      ])
      const found = await there()
      expect(found?.map(({ ID }) => ID)).toEqual(['theirs', 'moraine lake: removed objects'])
      expect(found?.[1]?.NoncurrentVersionExpiration?.NoncurrentDays).toBe(
        Number.parseInt(removed, 10),
      )
    }
    const refused = await cli('--apply')
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining("Can't give rules to"),
    ])
    expect(await there()).toHaveLength(2)
    const folderOnly = await moraine(['-C', folder, 'lifecycle'])
    expect([folderOnly.code, folderOnly.stderr]).toEqual([
      2,
      expect.stringContaining('this lake is in a folder'),
    ])
  })
})
