import type { LifecycleRule } from '@aws-sdk/client-s3'
import type { clientsFor } from './settings.js'

type Clients = Awaited<ReturnType<typeof clientsFor>>

/** Answers that say that a bucket has no such setting, or that nobody is told. */
const none = ['ObjectLockConfigurationNotFoundError', 'NotImplemented', 'AccessDenied']

/** Whether a bucket can keep objects from being removed. */
export async function hasObjectLock({ s3, client }: Clients, bucket: string): Promise<boolean> {
  try {
    const found = await client.send(new s3.GetObjectLockConfigurationCommand({ Bucket: bucket }))
    return found.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
  } catch (error) {
    if (none.includes((error as Error).name)) return false
    throw error
  }
}

/** Keeps an object from being changed or removed until somebody who may lifts that. */
export async function holdObject(
  { s3, client }: Clients,
  object: { Bucket: string; Key: string },
): Promise<void> {
  await client.send(new s3.PutObjectLegalHoldCommand({ ...object, LegalHold: { Status: 'ON' } }))
}

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
