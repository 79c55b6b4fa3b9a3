import { MoraineError, messageOf } from '../../../errors.js'

/** What a client of AWS says went wrong, as far as it says it. */
interface Refusal {
  name?: string
  code?: string
  message?: string
  $metadata?: { httpStatusCode?: number }
}

const LOG_IN =
  'Log in (aws sso login --profile NAME, or aws login), and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without credentials, moraine deploy --diff compares with the last deployment from this folder.'

const EXPIRED = /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired)$/
const WRONG_KEYS =
  /^(InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidAccessKeyId|AuthFailure|IncompleteSignature)$/
const DENIED = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|Forbidden|403)$/

/** Whether no credentials were found: nothing was asked of AWS then. */
function lacksCredentials(error: unknown): boolean {
  return (error as Refusal)?.name === 'CredentialsProviderError'
}

/** An error of a client of AWS in words, with what to do. */
function awsError(doing: string, cause: unknown): MoraineError {
  if (cause instanceof MoraineError) return cause
  const { name = '', code = '', message = messageOf(cause) } = cause as Refusal
  const failed = (kind: 'usage' | 'storage', said: string, hint?: string) =>
    new MoraineError(kind, `Cannot ${doing}: ${said}`, { cause, ...(hint ? { hint } : {}) })
  if (lacksCredentials(cause)) return failed('usage', 'no credentials of AWS were found', LOG_IN)
  if (EXPIRED.test(name)) return failed('usage', 'the credentials have expired', LOG_IN)
  if (WRONG_KEYS.test(name))
    return failed('usage', `AWS does not accept the credentials: ${message}`, LOG_IN)
  if (DENIED.test(name))
    return failed(
      'storage',
      `access denied: ${message}`,
      'Ask for a role that may deploy: docs/guide/aws.md lists what it needs.',
    )
  if (['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EAI_AGAIN'].includes(code || name))
    return failed(
      'storage',
      `AWS does not answer (${code || name})`,
      'Check the network, AWS_REGION and AWS_ENDPOINT_URL.',
    )
  return failed('storage', [name, message].filter((text) => text && text !== 'Error').join(': '))
}

/** Calls AWS; what it refuses becomes an error that says what was being done. */
export async function asking<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw awsError(doing, error)
  }
}
