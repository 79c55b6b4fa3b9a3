import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, it, onTestFinished } from 'vitest'
import { moraine, Project, temporaryFolder } from '../../support/project.js'
import { minioKeys, minioProgram, startMinio } from '../../support/servers.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { driverHost, netPrograms, startCluster, startNetwork } from './cluster.js'

/* A lake in a bucket, and hosts that share nothing else. */

const lake = `
import { hostname } from 'node:os'
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
console.log(\`begins on \${hostname()}\`)
const names = ['a', 'b', 'c', 'd'] as const
const silvers = names.map((name) =>
  silver(name, {
    from: bronze(name, { from: files(\`in/\${name}-*.csv\`) }),
    key: 'id',
    schema: z.object({
      id: t.int(),
      amount: t.decimal(18, 2),
      note: z.string().refine((text) => !text.includes('bad'), 'is bad'),
    }),
  }),
)
const [a, b] = silvers
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${a}\` })
const both = gold('both', { query: sql\`select id, x.amount as left, y.amount as right from \${a} as x join \${b} as y using (id)\` })
export default defineLake({ name: 'shop', datasets: [...silvers, total, both] })
`

const rowsOf = (name: string, from: number) =>
  Array.from({ length: 200 }, (_, i) =>
    [i + from, i % 7 === 3 ? 'much' : `${i}.${i % 10}5`, i % 11 === 5 ? 'bad' : `${name} ü`].join(),
  )
const csv = (name: string, from: number) => ['id,amount,note', ...rowsOf(name, from), ''].join('\n')

/** Both lakes have runs of their own: when each was, and its batches' ids, differ. */
const comparable = (text: string) =>
  text.replace(/"\d{4}-\d\d-\d\dT[^"]*"/g, '"a time"').replace(/(\d{6})-[0-9a-f]{8}/g, '$1')

const arriving = (from: number) =>
  Object.fromEntries(['a', 'b', 'c', 'd'].map((n) => [`in/${n}-${from}.csv`, csv(n, from)]))

withService('Spark standalone', [python, minioProgram, ...netPrograms], () => {
  it('runs a lake in a bucket on two hosts that share no disk', async () => {
    startNetwork()
    const minio = await startMinio({}, driverHost)
    onTestFinished(() => minio.stop())
    const s3 = new S3Client({
      endpoint: minio.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: {
        accessKeyId: minioKeys.AWS_ACCESS_KEY_ID,
        secretAccessKey: minioKeys.AWS_SECRET_ACCESS_KEY,
      },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'lake' }))
    // Each host has credentials of its own: none are sent.
    const cluster = await startCluster(2, minioKeys)
    const archive = join(await temporaryFolder(), 'moraine.tar.gz')
    expect((await moraine(['bundle', '--spark', archive])).code).toBe(0)

    const engine = `spark({ master: '${cluster.master}', host: '${driverHost}', archive: '${archive}', memory: '1GiB', python: '${python}' })`
    const onSpark = lake
      .replace("from 'moraine'", "from 'moraine'\nimport { spark } from 'moraine'")
      .replace("name: 'shop',", `name: 'shop', engine: ${engine},`)
    const project = await Project.create({ 'lake.ts': onSpark, ...arriving(0) })
    const here = await Project.create({ 'lake.ts': lake, ...arriving(0) })
    const root = `s3://lake/shop?endpoint=${minio.url}&region=us-east-1`
    const run = async (at: Project, ...args: string[]) => {
      const { code, stdout, stderr } = await moraine(['-C', at.folder, ...args], minioKeys)
      expect(code, stderr + stdout).toBe(0)
      return { stdout, stderr }
    }
    const onHosts: string[] = []
    for (const from of [0, 100]) {
      await project.write(arriving(from))
      await here.write(arriving(from))
      const { stderr } = await run(project, 'run', '--root', root)
      onHosts.push(...(stderr.match(/begins on host\d/g) ?? []))
      await run(here, 'run')
    }
    expect([...new Set(onHosts)].sort()).toEqual(['begins on host1', 'begins on host2'])
    for (const name of [
      'silver.a',
      'silver.b',
      'silver.c',
      'silver.d',
      'gold.total',
      'gold.both',
    ]) {
      const query = ['query', '--json', `select * from ${name} order by all`]
      const there = await run(project, ...query, '--root', root)
      const local = await run(here, ...query)
      expect(comparable(there.stdout), name).toBe(comparable(local.stdout))
    }
    for (const name of ['a', 'd']) {
      const discarded = ['discarded', `silver.${name}`, '--json']
      const there = await run(project, ...discarded, '--root', root)
      const local = await run(here, ...discarded)
      expect(comparable(there.stdout)).toBe(comparable(local.stdout))
    }
    await run(project, 'verify', '--deep', '--root', root)
  })
})
