import { MoraineError, messageOf } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { variable } from '../../settings.js'

/**
 * The value of a secret in AWS Secrets Manager, as it is now.
 *
 * @param reference its name or ARN; one key of its JSON behind a `#`: `shop/database#password`.
 * @throws MoraineError of kind `source` where it can't be read, or has no such key.
 */
export async function awsSecret(reference: string): Promise<string> {
  const [, id = '', key] = /^(.*?)(?:#([^#]*))?$/s.exec(reference) ?? []
  const text = await textOf(id)
  if (key === undefined) return text
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    throw failed(reference, 'it is not JSON, and so has no keys')
  }
  const found = typeof fields === 'object' && fields !== null && Object.entries(fields)
  const [, value] = (found || []).find(([name]) => name === key) ?? []
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw failed(reference, `it has no key '${key}'`)
}

/** Regions are told by ARNs; of names the process knows. */
async function textOf(id: string): Promise<string> {
  const manager = await importPeer('@aws-sdk/client-secrets-manager')
  const region =
    /^arn:[^:]+:secretsmanager:([^:]+):/.exec(id)?.[1] ??
    variable('AWS_REGION') ??
    variable('AWS_DEFAULT_REGION') ??
    'us-east-1'
  const endpoint = variable('AWS_ENDPOINT_URL')
  const client = new manager.SecretsManagerClient({ region, ...(endpoint ? { endpoint } : {}) })
  try {
    const { SecretString } = await client.send(new manager.GetSecretValueCommand({ SecretId: id }))
    if (SecretString) return SecretString
  } catch (cause) {
    throw failed(id, reasonOf(cause), cause)
  } finally {
    client.destroy()
  }
  throw failed(id, 'it is empty, or has bytes rather than text')
}

function reasonOf(cause: unknown): string {
  const { name } = cause as { name?: string }
  if (name === 'ResourceNotFoundException') return 'there is none of this name'
  if (name === 'AccessDeniedException')
    return 'access denied: it needs secretsmanager:GetSecretValue'
  return messageOf(cause)
}

function failed(id: string, why: string, cause?: unknown): MoraineError {
  return new MoraineError('source', `The secret ${id} of Secrets Manager can't be read: ${why}`, {
    cause,
    hint: 'Check its name and region, and that the credentials of this process may read it.',
  })
}
