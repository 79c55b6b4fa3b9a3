import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { moraine, Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = (archive: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('people', { from: inbox({ path: 'drop', settle: '0ms' }), archive: ${archive} })
export default defineLake({ name: 'shop', datasets: [silver('people', { from: raw, schema: z.object({ id: z.string(), n: t.int() }), key: 'id' })] })
`

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['versioned']))
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await client.send(
      new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration }),
    )
    await client.send(
      new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }),
    )
  })
  afterAll(() => server.stop())

  const cli = ({ folder }: Project, bucket: string, ...args: string[]) =>
    moraine(
      ['-C', folder, '--root', `s3://${bucket}/lake?endpoint=${server.url}`, ...args],
      minioKeys,
    )
  const drop = { 'drop/a.csv': 'id,n\nada-4711,1\np-1,2\n' }

  it('leaves no earlier version of an object that held the person', async () => {
    const project = await Project.create({ 'lake.ts': lake('true'), ...drop })
    expect((await cli(project, 'versioned', 'run')).code).toBe(0)
    const done = await cli(project, 'versioned', 'forget', 'people', '--key', 'ada-4711', '--yes')
    expect([done.stderr, done.code]).toEqual(['', 0])
    expect(done.stdout).toMatch(/[1-9]\d* earlier versions of objects/)
    const { Versions = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: 'versioned' }),
    )
    expect(Versions.length).toBeGreaterThan(10)
    const found: string[] = []
    for (const { Key, VersionId } of Versions) {
      const object = { Bucket: 'versioned', Key, VersionId }
      const { Body } = await client.send(new GetObjectCommand(object))
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      if (bytes.toString('latin1').includes('ada-4711')) found.push(`${Key}`)
    }
    expect(found).toEqual([])
    expect((await cli(project, 'versioned', 'verify', '--deep')).code).toBe(0)
  })

  it('refuses files that are locked, with the day, before anything is changed', async () => {
    const project = await Project.create({ 'lake.ts': lake("{ lock: '20 days' }"), ...drop })
    expect((await cli(project, 'locked', 'run')).code).toBe(0)
    const before = (await cli(project, 'locked', 'history', '--json')).stdout
    const refused = await cli(project, 'locked', 'forget', 'people', '--key', 'ada-4711', '--yes')
    const day = new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 8)
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining(`it is locked until ${day}`),
    ])
    expect((await cli(project, 'locked', 'history', '--json')).stdout).toBe(before)
  })
})
