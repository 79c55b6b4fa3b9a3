import { DEPLOYED } from '../../template/context.js'
import type { Cloud } from './cloud.js'
import { asking } from './failures.js'

/** What a request may hold of a template; a longer one lies in a bucket. */
export const LONGEST_BODY = 51_200

/** Where the zip with the code lies; the same bytes have the same place. */
export const codeKey = (sha256: string) => `${DEPLOYED}code/${sha256}.zip`

/** The part of a bucket that deployments keep their files in. */
export class Shelf {
  constructor(
    private readonly cloud: Cloud,
    readonly bucket: string,
  ) {}

  /** Lays an object there whose name says what it holds. */
  async lay(key: string, body: Uint8Array | string): Promise<void> {
    const { HeadObjectCommand, PutObjectCommand } = this.cloud.s3sdk
    const at = { Bucket: this.bucket, Key: key }
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    await asking(`write s3://${this.bucket}/${key}`, async () => {
      const there = await this.cloud.s3.send(new HeadObjectCommand(at)).catch(() => undefined)
      if (there?.ContentLength === length) return
      await this.cloud.s3.send(new PutObjectCommand({ ...at, Body: body }))
    })
  }

  /** Lays a template there, and says where CloudFormation finds it. */
  async layTemplate(stack: string, revision: string, body: string): Promise<string> {
    const key = `${DEPLOYED}templates/${stack}-${revision}.json`
    await this.lay(key, body)
    const { endpoint } = this.cloud.s3.config
    const custom = this.cloud.s3.config.forcePathStyle ? await endpoint?.() : undefined
    if (custom)
      return `${custom.protocol}//${custom.hostname}${custom.port ? `:${custom.port}` : ''}/${this.bucket}/${key}`
    return `https://${this.bucket}.s3.${this.cloud.region}.${this.cloud.suffix}/${key}`
  }

  /** Removes what earlier deployments laid there and this one does not need. */
  async tidy(kept: ReadonlySet<string>): Promise<void> {
    const { ListObjectsV2Command, DeleteObjectCommand } = this.cloud.s3sdk
    await asking(`tidy s3://${this.bucket}/${DEPLOYED}`, async () => {
      const { Contents = [] } = await this.cloud.s3.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: DEPLOYED }),
      )
      for (const { Key = '' } of Contents)
        if (!kept.has(Key))
          await this.cloud.s3.send(new DeleteObjectCommand({ Bucket: this.bucket, Key }))
    })
  }
}
