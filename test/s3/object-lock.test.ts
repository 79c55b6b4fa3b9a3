import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { startBuckets } from '../support/buckets.js'
import { faultyProxy } from '../support/faulty-proxy.js'
import { moraine, Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const DAY = 86_400_000

const lake = (archive: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ path: 'drop', settle: '0ms' }), archive: ${archive} })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })
`

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['plain']))
    await client.send(
      new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }),
    )
  })
  afterAll(() => server.stop())

  const root = (bucket: string, prefix: string, url = server.url) =>
    `s3://${bucket}/${prefix}?endpoint=${url}`
  const cli = ({ folder }: Project, place: string, ...args: string[]) =>
    moraine(['-C', folder, '--root', place, ...args], minioKeys)
  const archived = async (prefix: string) => {
    const Prefix = `${prefix}/archive/orders/files/`
    const { Versions = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: 'locked', Prefix }),
    )
    return Versions.map(({ Key = '', VersionId = '' }) => ({ Bucket: 'locked', Key, VersionId }))
  }
  const daysLeft = async (object: { Bucket: string; Key: string }) => {
    const { Retention } = await client.send(new GetObjectRetentionCommand(object))
    expect(Retention?.Mode).toBe('GOVERNANCE')
    return ((Retention?.RetainUntilDate?.getTime() ?? 0) - Date.now()) / DAY
  }

  it('keeps archived files for the time of their lock, whoever removes them', async () => {
    const project = await Project.create({
      'lake.ts': lake("{ lock: '20 days' }"),
      'drop/a.csv': 'id\n1\n',
    })
    const place = root('locked', 'one')
    const run = await cli(project, place, 'run')
    expect([run.code, run.stderr]).toEqual([0, ''])
    const [object, ...others] = await archived('one')
    expect(others).toEqual([])
    if (!object) throw new Error('nothing was archived')
    expect(await daysLeft(object)).toBeGreaterThan(19.9)
    const remove = (more = {}) => client.send(new DeleteObjectCommand({ ...object, ...more }))
    await expect(remove()).rejects.toThrow(/WORM|lock|denied/i)
    // What Moraine says of such an object has the day in it.
    const { Key, VersionId } = object
    const day = new Date(Date.now() + 20 * DAY).toISOString().slice(0, 8)
    const storage = new S3Storage(root('locked', 'one'))
    await expect(storage.removeVersion(Key.slice('one/'.length), VersionId)).rejects.toThrow(
      `Can't remove a version of s3://locked/${Key}: it is locked until ${day}`,
    )
    const vacuum = await cli(project, place, 'vacuum', '--delete', '--grace', '0s')
    expect([vacuum.code, vacuum.stderr]).toEqual([0, ''])
    expect(await archived('one')).toEqual([object])

    // The same content once more, by a definition whose lock is shorter: what was promised stays.
    await project.write({ 'lake.ts': lake("{ lock: '5 days' }") })
    await storage.protect([Key.slice('one/'.length)], 5 * 86_400)
    expect(await daysLeft(object)).toBeGreaterThan(19.9)
    await project.write({ 'drop/b.csv': 'id\n2\n' })
    const again = await cli(project, place, 'run')
    expect([again.code, again.stderr]).toEqual([0, ''])
    const left = await Promise.all((await archived('one')).map(daysLeft))
    expect(left.map(Math.ceil).sort()).toEqual([20, 5])

    // Governance: who has the right to bypass it removes it all the same.
    await expect(remove({ BypassGovernanceRetention: true })).resolves.toBeDefined()
  })

  it('locks no copies of what is only tried, as of a file beside one that can’t be read', async () => {
    const project = await Project.create({
      'lake.ts': lake("{ lock: '20 days' }"),
      'drop/a.csv.gz': 'no gzip',
      'drop/b.csv': 'id\n1\n',
    })
    const run = await cli(project, root('locked', 'tried'), 'run')
    expect(run.stdout).toContain('quarantine')
    expect(await archived('tried')).not.toEqual([])
    const Prefix = 'tried/bronze/'
    const found = await client.send(new ListObjectVersionsCommand({ Bucket: 'locked', Prefix }))
    for (const { Key = '', VersionId = '' } of found.Versions ?? []) {
      const asked = client.send(new GetObjectRetentionCommand({ Bucket: 'locked', Key, VersionId }))
      await expect(asked, Key).rejects.toThrow(/lock/i)
    }
  })

  it('ingests nothing where a lock was asked for that the bucket can’t give', async () => {
    const project = await Project.create({
      'lake.ts': lake("{ lock: '20 days' }"),
      'drop/a.csv': 'id\n1\n',
    })
    const place = root('plain', 'lake')
    const run = await cli(project, place, 'run')
    expect(run.code).toBe(1)
    expect(run.stdout + run.stderr).toContain("Can't lock archived files: plain has no object lock")
    await project.write({ 'lake.ts': lake('true') })
    const without = await cli(project, place, 'run')
    expect([without.code, without.stderr]).toEqual([0, ''])
    expect(without.stdout).toContain('1 row')
  })

  it('does not take a denied answer for a bucket without object lock', async () => {
    const project = await Project.create({ 'lake.ts': lake('true'), 'drop/a.csv': 'id\n1\n' })
    const isDenied = { now: true }
    const proxy = await faultyProxy(server.url, ({ url }) =>
      isDenied.now && url?.includes('?object-lock') ? 403 : 'pass',
    )
    try {
      const place = root('locked', 'denied', proxy.url)
      const run = await cli(project, place, 'run')
      expect(run.code).toBe(1)
      expect(run.stdout + run.stderr).toContain('s3:GetBucketObjectLockConfiguration')
      isDenied.now = false
      const allowed = await cli(project, place, 'run')
      expect([allowed.code, allowed.stderr]).toEqual([0, ''])
      const [object] = await archived('denied')
      await expect(client.send(new DeleteObjectCommand(object as never))).rejects.toThrow(
        /WORM|lock|denied/i,
      )
    } finally {
      proxy.close()
    }
  })
})
