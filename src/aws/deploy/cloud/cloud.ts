import type { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import type { S3Client } from '@aws-sdk/client-s3'
import { MoraineError } from '../../../errors.js'
import { importPeer } from '../../../peers.js'
import { variable } from '../../../settings.js'
import { asking } from './failures.js'

/** An account in a region, and the clients that reach it. */
export interface Cloud {
  account: string
  region: string
  /** What names of hosts end with there: `amazonaws.com`. */
  suffix: string
  /** Who the credentials belong to. */
  caller: string
  cloudFormation: CloudFormationClient
  sdk: typeof import('@aws-sdk/client-cloudformation')
  s3: S3Client
  s3sdk: typeof import('@aws-sdk/client-s3')
  /** Milliseconds between two looks at what goes on there. */
  pace: number
}

/** Where `lake.ts` says that the lake belongs. */
export interface Destination {
  region: string
  account?: string | undefined
}

/**
 * Finds out who is asking, and where.
 *
 * @throws MoraineError of kind `usage` without credentials, and where account or region are others
 *   than the definition says.
 */
export async function connect(to: Destination): Promise<Cloud> {
  refuseRegion(to)
  const sdk = await importPeer('@aws-sdk/client-cloudformation')
  const s3sdk = await importPeer('@aws-sdk/client-s3')
  const { STSClient, GetCallerIdentityCommand } = await importPeer('@aws-sdk/client-sts')
  const { region } = to
  const sts = new STSClient({ region })
  const who = await asking('ask AWS who you are', () => sts.send(new GetCallerIdentityCommand({})))
  const account = who.Account ?? ''
  if (to.account !== undefined && to.account !== account)
    throw new MoraineError(
      'usage',
      `The credentials are for account ${account}, but lake.ts deploys to account ${to.account}`,
      { hint: `Set AWS_PROFILE to a profile of ${to.account}, or change account in aws({ … }).` },
    )
  const endpoint = variable('AWS_ENDPOINT_URL_S3') ?? variable('AWS_ENDPOINT_URL')
  return {
    account,
    region,
    suffix: region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com',
    caller: who.Arn ?? account,
    sdk,
    // What is changed is asked for by a token or a name, so that asking again is no second change.
    cloudFormation: new sdk.CloudFormationClient({ region, maxAttempts: 8 }),
    s3sdk,
    // An endpoint of one's own has no limit of requests that all of an account share.
    pace: endpoint ? 100 : 2_500,
    s3: new s3sdk.S3Client({ region, ...(endpoint ? { endpoint, forcePathStyle: true } : {}) }),
  }
}

/**
 * A shell that is set up for one region, and a definition for another: one of both is a mistake.
 */
function refuseRegion({ region }: Destination): void {
  const set = variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION')
  if (set === undefined || set === region) return
  throw new MoraineError('usage', `AWS_REGION is ${set}, but lake.ts deploys to region ${region}`, {
    hint: `Unset AWS_REGION, or set it: AWS_REGION=${region} moraine deploy`,
  })
}
