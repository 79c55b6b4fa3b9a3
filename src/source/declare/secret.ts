import { readFile } from 'node:fs/promises'
import { callSite } from '../../define/call-site.js'
import { MoraineError } from '../../errors.js'
import { userVariable } from '../../settings.js'
import { AWS_SECRET, SECRET_FILE, VARIABLE } from './aws-secrets-in.js'

/**
 * A secret that is resolved when a connection is made, and stored nowhere: `env:SHOP_PASSWORD` in
 * the environment, `file:/run/secrets/shop` in a file (without a trailing line break), as
 * containers and systemd provide it, `aws-secrets:shop/database#password` in AWS Secrets Manager
 * (one key of its JSON, or without `#` all of it).
 *
 * @example postgres({ host: 'db', user: 'shop', password: secret('file:/run/secrets/shop') })
 */
export function secret(reference: string): () => Promise<string> {
  const [, kind, name = ''] = /^(env|file|aws-secrets):(.+)$/s.exec(reference) ?? []
  if (!kind)
    throw new MoraineError('definition', 'A secret must be a reference', {
      place: callSite(),
      hint: "Write secret('env:SHOP_PASSWORD'), secret('file:/run/secrets/shop') or secret('aws-secrets:shop/password').",
    })
  if (kind === 'aws-secrets') {
    const get = async () => (await import('./aws-secret.js')).awsSecret(name)
    return Object.assign(get, { [AWS_SECRET]: name })
  }
  const get = async () => {
    const found = kind === 'env' ? userVariable(name) : await textOf(name)
    if (found) return found
    throw new MoraineError('source', `The secret ${reference} is missing or empty`, {
      hint:
        kind === 'env'
          ? `Set the environment variable ${name}.`
          : 'Check the path and its permissions.',
    })
  }
  return Object.assign(get, { [kind === 'env' ? VARIABLE : SECRET_FILE]: name })
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.replace(/\r?\n$/, ''),
    () => undefined,
  )
}
