import type { LifecycleRule } from '@aws-sdk/client-s3'
import { MoraineError } from '../../errors.js'
import { mayPass, statusOf } from './failures.js'
import type { clientsFor } from './settings.js'
import { type Purged, purgeVersions } from './versions.js'

export { versionOf } from './versions.js'

type Clients = Awaited<ReturnType<typeof clientsFor>>

/** What became of the rules that a lake gives its bucket. */
export interface Given {
  given: LifecycleRule[]
  /** How many there are of others. */
  others: number
}

/**
 * Puts a lake's rules in the place of those that it gave the bucket before; those of others stay.
 */
export async function setLifecycle(
  { s3, client }: Clients,
  bucket: string,
  rules: readonly LifecycleRule[],
  isOwn: (id: string) => boolean,
): Promise<Given> {
  const others = (await lifecycleOf({ s3, client }, bucket)).filter(({ ID }) => !isOwn(ID ?? ''))
  const give = async (given: LifecycleRule[]): Promise<Given> => {
    const LifecycleConfiguration = { Rules: [...others, ...given] }
    const input = { Bucket: bucket, LifecycleConfiguration }
    await client.send(new s3.PutBucketLifecycleConfigurationCommand(input))
    return { given, others: others.length }
  }
  // Some stores, MinIO among them, clear unfinished uploads away by themselves, and know no rule
  // for it.
  const common = rules.filter((rule) => !rule.AbortIncompleteMultipartUpload)
  return give([...rules]).catch((error) => {
    if (common.length === rules.length || !unknownRule.includes((error as Error).name)) throw error
    return give(common)
  })
}

const unknownRule = ['InvalidArgument', 'MalformedXML', 'NotImplemented']

async function lifecycleOf(
  { s3, client }: Pick<Clients, 's3' | 'client'>,
  bucket: string,
): Promise<LifecycleRule[]> {
  try {
    const found = await client.send(
      new s3.GetBucketLifecycleConfigurationCommand({ Bucket: bucket }),
    )
    return found.Rules ?? []
  } catch (error) {
    // Rules that can't be read would be lost, so only a bucket without any has none.
    if ((error as Error).name === 'NoSuchLifecycleConfiguration') return []
    throw error
  }
}

interface ObjectName {
  Bucket: string
  Key: string
}

/** How a bucket keeps objects from being removed. */
export class ObjectLock {
  /** `undefined` until it is known. */
  private isThere: boolean | undefined

  constructor(
    private readonly bucket: string,
    private readonly clients: () => Promise<Clients>,
  ) {}

  /**
   * Puts a legal hold on objects, or keeps them until a time, in governance mode. Without object
   * lock in the bucket no hold is put.
   *
   * @throws where nobody is told whether the bucket has object lock, and for a time that a bucket
   * without can't keep.
   */
  async protect(objects: readonly ObjectName[], until: Date | undefined): Promise<void> {
    const clients = await this.clients()
    this.isThere ??= await isEnabled(clients, this.bucket)
    if (this.isThere)
      for (const object of objects)
        if (until) await this.retain(clients, object, until)
        else await hold(clients, object)
    else if (until)
      throw new MoraineError(
        'storage',
        `Can't lock archived files: ${this.bucket} has no object lock`,
        {
          doing: 'protect',
          hint: 'Nothing was ingested. Enable object lock on the bucket, or remove lock from archive in lake.ts.',
        },
      )
  }

  /**
   * Why a version of an object can't be removed now; `undefined` where no lock is the reason, as
   * far as those who ask may know it.
   *
   * @throws where it can't be told at this moment.
   */
  async hinders(object: ObjectName & { VersionId?: string }): Promise<string | undefined> {
    const lock = await this.of(object).catch((error) => {
      if (mayPass(error)) throw error
    })
    if (lock?.isHeld) return 'it is under a legal hold: it must be lifted first'
    const { until } = lock ?? {}
    return until && until.getTime() > Date.now()
      ? `it is locked until ${until.toISOString()}`
      : undefined
  }

  /** Removes earlier versions of objects below a key, those that it keeps excepted. */
  async purge(prefix: string): Promise<Purged> {
    const below = { bucket: this.bucket, prefix, hinders: this.hinders.bind(this) }
    return purgeVersions(await this.clients(), below)
  }

  private async of(object: ObjectName & { VersionId?: string }) {
    const { s3, client } = await this.clients()
    const { ObjectLockRetainUntilDate: until, ObjectLockLegalHoldStatus: status } =
      await client.send(new s3.HeadObjectCommand(object))
    return { until, isHeld: status === 'ON' }
  }

  /** A time that was longer, by an earlier definition, stays. */
  private async retain({ s3, client }: Clients, object: ObjectName, until: Date): Promise<void> {
    const Retention = { Mode: 'GOVERNANCE' as const, RetainUntilDate: until }
    try {
      await client.send(new s3.PutObjectRetentionCommand({ ...object, Retention }))
    } catch (error) {
      const known =
        statusOf(error) === 404 ? undefined : await this.of(object).catch(() => undefined)
      if (!known?.until || known.until < until) throw error
    }
  }
}

async function isEnabled({ s3, client }: Clients, Bucket: string): Promise<boolean> {
  try {
    const found = await client.send(new s3.GetObjectLockConfigurationCommand({ Bucket }))
    return found.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
  } catch (error) {
    // Whoever is denied the answer knows nothing.
    if (none.includes((error as Error).name)) return false
    throw error
  }
}

/** Answers that say that a bucket has no such setting. */
const none = ['ObjectLockConfigurationNotFoundError', 'NotImplemented']

/** Until somebody who may lifts it. */
async function hold({ s3, client }: Clients, object: ObjectName): Promise<void> {
  await client.send(new s3.PutObjectLegalHoldCommand({ ...object, LegalHold: { Status: 'ON' } }))
}
