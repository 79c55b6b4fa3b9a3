import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import type { ObjectAccess } from '../staging.js'
import type { Grant } from '../storage.js'
import { statusOf } from './failures.js'
import { policyFor } from './policy.js'
import { addressOf, type clientsFor, type S3Place } from './settings.js'

type Clients = Awaited<ReturnType<typeof clientsFor>>

/** The role of stores that know none: they take the policy, and whose keys sign the request. */
const NO_ROLE = 'arn:aws:iam::000000000000:role/moraine'
const SESSION = 'moraine-catalog'
/** Milliseconds that the answer may take: whoever loads a table waits for it. */
const PATIENCE = 5000

/**
 * Temporary credentials from the store's STS (`AssumeRole`), limited by a session policy. AWS wants
 * a role for that; other stores, such as MinIO, answer at their own endpoint.
 */
export class Vendor {
  private proven: Promise<void> | undefined

  constructor(
    private readonly place: S3Place,
    private readonly clients: () => Promise<Clients>,
  ) {}

  /** @returns `undefined` where nobody could be asked for them. */
  async vend(
    grants: readonly Grant[],
    seconds: number,
  ): Promise<Omit<ObjectAccess, 'url'> | undefined> {
    const { endpoint, anonymous, vendRole } = this.place
    if (anonymous || (endpoint === undefined && vendRole === undefined)) return undefined
    const region = await (await this.clients()).client.config.region()
    const found = await this.assume(policyFor(this.place, grants, region), region, seconds)
    if (endpoint !== undefined) await this.prove(found)
    return {
      keyId: found.accessKeyId,
      secret: found.secretAccessKey,
      token: found.sessionToken,
      expires: found.expiration,
      region,
      ...addressOf(this.place),
    }
  }

  private async assume(Policy: string, region: string, DurationSeconds: number) {
    const { endpoint, vendRole, vendExternalId } = this.place
    const { fromTemporaryCredentials } = await importPeer('@aws-sdk/credential-providers')
    const { client } = await this.clients()
    const ask = fromTemporaryCredentials({
      masterCredentials: client.config.credentials,
      params: {
        RoleArn: vendRole ?? NO_ROLE,
        RoleSessionName: SESSION,
        DurationSeconds,
        Policy,
        ...(vendExternalId === undefined ? {} : { ExternalId: vendExternalId }),
      },
      clientConfig: {
        region,
        maxAttempts: 2,
        requestHandler: {
          connectionTimeout: PATIENCE,
          requestTimeout: PATIENCE,
          throwOnRequestTimeout: true,
        },
        ...(endpoint === undefined ? {} : { endpoint }),
      },
    })
    return ask()
  }

  /**
   * A store that takes a policy and forgets it would give everybody the whole bucket, so the first
   * credentials are tried: they must not be able to list it.
   */
  private async prove(found: {
    accessKeyId: string
    secretAccessKey: string
    sessionToken?: string
  }): Promise<void> {
    this.proven ??= this.mustNotList(found)
    try {
      await this.proven
    } catch (error) {
      // What says nothing about policies is tried again.
      if (!(error instanceof MoraineError)) this.proven = undefined
      throw error
    }
  }

  private async mustNotList(credentials: {
    accessKeyId: string
    secretAccessKey: string
    sessionToken?: string
  }): Promise<void> {
    const { s3, client } = await this.clients()
    const { endpoint, bucket, pathStyle, timeout } = this.place
    const limited = new s3.S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      region: await client.config.region(),
      forcePathStyle: pathStyle,
      credentials,
      maxAttempts: 2,
      requestHandler: { connectionTimeout: PATIENCE, requestTimeout: timeout },
    })
    try {
      await limited.send(new s3.ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }))
    } catch (error) {
      if (statusOf(error) === 403) return
      throw error
    } finally {
      limited.destroy()
    }
    throw new MoraineError(
      'storage',
      `${endpoint} does not limit temporary credentials by their policy: they could list all of ${bucket}`,
      { hint: 'Give other engines keys of the bucket yourself.' },
    )
  }
}
