import { randomBytes } from 'node:crypto'
import type { Caller } from '../../../query/service/request.js'
import type { Principals } from '../../principals.js'
import { AwsError } from '../protocol/failure.js'
import { document, type Xml } from '../protocol/xml.js'
import { temporaryKeys } from './temporary.js'

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'
/** The account that this machine stands for. */
export const ACCOUNT = '000000000000'

/** Answers a call of STS; it is sent as a form. */
export async function sts(
  form: URLSearchParams,
  caller: Caller,
  principals: Principals,
): Promise<string> {
  const action = form.get('Action') ?? ''
  if (action === 'GetCallerIdentity')
    return result(action, {
      Arn: `arn:aws:iam::${ACCOUNT}:user/${caller.name}`,
      UserId: caller.name,
      Account: ACCOUNT,
    })
  if (action === 'AssumeRole') return assumeRole(form, caller, principals)
  throw new AwsError('InvalidAction', `STS's ${action.slice(0, 80)} is not served by Moraine`)
}

/**
 * Keys of a principal for a while: of oneself, or, for whoever may do all, of another. The role is
 * named after its access key.
 */
async function assumeRole(
  form: URLSearchParams,
  caller: Caller,
  principals: Principals,
): Promise<string> {
  const arn = form.get('RoleArn') ?? ''
  const [, role] =
    /^arn:aws:iam::\d{12}:(?:role|user)\/(?:.*\/)?([A-Za-z0-9._@-]{1,128})$/.exec(arn) ?? []
  if (role === undefined)
    throw new AwsError('ValidationError', `RoleArn is not the name of a role: ${arn.slice(0, 200)}`)
  const session = form.get('RoleSessionName') ?? ''
  if (!/^[\w+=,.@-]{2,64}$/.test(session))
    throw new AwsError('ValidationError', 'RoleSessionName has 2 to 64 letters, digits and _+=,.@-')
  const seconds = Number(form.get('DurationSeconds') ?? 3600)
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200)
    throw new AwsError('ValidationError', 'DurationSeconds is a number from 900 to 43200')
  const known = await principals.ofAccessKey(role)
  const isAllowed = known && (known.principal.name === caller.name || caller.rights.unlimited)
  if (!known || !isAllowed)
    throw new AwsError(
      'AccessDenied',
      `${caller.name} is not authorized to perform sts:AssumeRole on ${arn}`,
      { status: 403 },
    )
  const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`
  const keys = temporaryKeys({ key: role, secret: known.secret, id }, seconds)
  return result('AssumeRole', {
    Credentials: {
      AccessKeyId: keys.accessKeyId,
      SecretAccessKey: keys.secretAccessKey,
      SessionToken: keys.sessionToken,
      Expiration: keys.expires.toISOString(),
    },
    AssumedRoleUser: {
      AssumedRoleId: `${known.principal.name}:${session}`,
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${session}`,
    },
  })
}

const result = (action: string, value: Xml) =>
  document(
    `${action}Response`,
    { [`${action}Result`]: value, ResponseMetadata: { RequestId: randomBytes(8).toString('hex') } },
    NAMESPACE,
  )
