import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'
import { python, sparkJar } from './readers.js'

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'open', datasets: [orders] })
`

const TOKEN = 'open sesame'
const extensions = process.env.DUCKDB_EXTENSIONS
const duckdb = extensions && join(extensions, 'v1.5.5/linux_amd64/iceberg.duckdb_extension')
/** What Spark needs beside Iceberg to reach a bucket. */
const awsJar =
  sparkJar && join(dirname(sparkJar), `iceberg-aws-bundle-${/[\d.]+(?=\.jar)/.exec(sparkJar)}.jar`)

/** Runs a script of another engine in a process that has no key of the bucket. */
async function engine(name: string, ...args: string[]) {
  const script = join(repository, `test/foreign/credentials/with_${name}.py`)
  const clean = Object.entries(process.env).filter(([key]) => !/^(AWS|MINIO|MORAINE)_/.test(key))
  const env = {
    ...Object.fromEntries(clean),
    AWS_EC2_METADATA_DISABLED: 'true',
    HOME: '/nonexistent',
  }
  const run = promisify(execFile)
  const { stdout } = await run(python as string, [script, ...args], { env, maxBuffer: 1 << 26 })
  return JSON.parse(stdout.slice(stdout.indexOf('{"')))
}

withService('MinIO and PyIceberg', [minioProgram, python], () => {
  let server: Server
  let client: S3Client
  let made = 0
  const buckets = ['lakes-1', 'lakes-2', 'lakes-3', 'lakes-4']
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(buckets))
  })
  afterAll(() => server.stop())

  /** A lake in a bucket, and where its catalog is served. */
  async function served() {
    const root = `s3://${buckets[made++]}/deep/lake?endpoint=${server.url}`
    const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': 'id\n1\n2\n' })
    const env = { ...minioKeys, MORAINE_ROOT: root, MORAINE_CACHE: join(project.folder, 'cache') }
    Object.assign(process.env, env)
    expect((await project.cli('run')).code).toBe(0)
    const catalog = Served.start(project, ['--catalog'], { ...env, MORAINE_TOKEN: TOKEN })
    const { url } = await catalog.line(({ event }) => event === 'catalog')
    return { catalog, url: String(url), project }
  }

  it('PyIceberg needs no key of the bucket', async () => {
    const { catalog, url } = await served()
    expect(await engine('pyiceberg', url, TOKEN)).toMatchObject({
      orders: 2,
      own: [1, 3],
      staged: 3,
      renewed: expect.arrayContaining(['s3.access-key-id', 's3.session-token']),
    })
    expect(await catalog.stop()).toBe(0)
  })

  withService('DuckDB', [duckdb], () => {
    it('DuckDB needs no key of the bucket', async () => {
      const { catalog, url } = await served()
      expect(await engine('duckdb', url, TOKEN, extensions as string)).toEqual({
        orders: 2,
        own: [0, 2, 3],
      })
      expect(await catalog.stop()).toBe(0)
    })
  })

  withService('Spark', [sparkJar, awsJar], () => {
    it('Spark needs no key of the bucket, and what it removes of its tables stays for vacuum', async () => {
      const { catalog, url, project } = await served()
      const seen = await spark(url, 'vended-credentials')
      // The bucket refuses before the catalog is asked.
      expect(seen.refused).toContain('Access Denied')
      for (const file of seen.files) {
        const { hostname: Bucket, pathname } = new URL(file)
        await client.send(new HeadObjectCommand({ Bucket, Key: pathname.slice(1) }))
      }
      expect((await project.cli('verify', '--deep')).code).toBe(0)
      expect(await catalog.stop()).toBe(0)
    })

    it('Spark has its requests signed, and is refused with the reason', async () => {
      const { catalog, url } = await served()
      const seen = await spark(url, 'remote-signing')
      expect(seen.refused).toContain('its rows are computed from its inputs')
      expect(await catalog.stop()).toBe(0)
    })
  })

  async function spark(url: string, way: string) {
    const seen = await engine('spark', [sparkJar, awsJar].join(), url, TOKEN, way)
    expect(seen).toMatchObject({ orders: 2, own: [0, 2, 10], dropped: null })
    return seen
  }
})
