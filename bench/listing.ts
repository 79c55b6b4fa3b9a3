import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { minioKeys, startMinio } from '../test/support/servers.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const OBJECTS = 100_000

const lake = (endpoint: string) => `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'many', datasets: [bronze('rows', { from: files('s3://drop/in/**/*.csv?endpoint=${endpoint}') })] })
`

/**
 * A run over a prefix of 100,000 objects that were all taken in before, beside listing them and
 * nothing else. How long the first run took is told on the error stream.
 */
export async function listing(scale: number): Promise<[Contender, Contender]> {
  const folder = await benchFolder()
  const server = await startMinio()
  Object.assign(process.env, minioKeys)
  const client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: 'drop' }))
  const count = Math.round(OBJECTS * scale)
  const numbers = Array.from({ length: count }, (_, i) => i).values()
  const put = async () => {
    for (const i of numbers) {
      const Key = `in/${String(i % 365).padStart(3, '0')}/${i}.csv`
      await client.send(new PutObjectCommand({ Bucket: 'drop', Key, Body: `id,n\n${i},1\n` }))
    }
  }
  await Promise.all(Array.from({ length: 32 }, put))
  await writeFile(join(folder, 'lake.ts'), lake(server.url))
  const bin = join(repository, 'bin/moraine.js')
  const run = () => measure(process.execPath, [bin, '-C', folder, 'run'], {})
  const first = await run()
  console.error(
    `first run: ${first.seconds.toFixed(0)} s, ${Math.round(count / first.seconds)} objects/s, ${first.mebibytes.toFixed(0)} MiB`,
  )
  const script = `
    import { S3Client, paginateListObjectsV2 } from '${repository}/node_modules/@aws-sdk/client-s3/dist-cjs/index.js'
    const client = new S3Client({ endpoint: '${server.url}', region: 'us-east-1', forcePathStyle: true })
    let n = 0
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: 'drop', Prefix: 'in/' })) n += Contents.length
    if (n !== ${count}) process.exit(1)`
  return [
    { name: 'moraine run, nothing new', run, close: () => server.stop() },
    {
      name: 'listing alone',
      run: () => measure(process.execPath, ['--input-type=module', '-e', script], minioKeys),
    },
  ]
}
