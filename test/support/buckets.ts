import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { minioKeys, type Server, startMinio } from './servers.js'

/** An S3 server with buckets, a client of it, and its keys in this process. */
export async function startBuckets(
  names: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ server: Server; client: S3Client }> {
  const server = await startMinio(env)
  Object.assign(process.env, minioKeys)
  const client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  for (const Bucket of names) await client.send(new CreateBucketCommand({ Bucket }))
  return { server, client }
}
