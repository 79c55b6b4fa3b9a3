import { readFile } from 'node:fs/promises'
import { here } from '../../define/place.js'
import { MoraineError } from '../../errors.js'
import { userVariable } from '../../settings.js'

/**
 * A password that is looked up when a connection is made, and is nowhere else: `env:SHOP_PASSWORD` in the environment,
 * `file:/run/secrets/shop` in a file (without the line end at its end), as containers and systemd provide it.
 *
 * @example postgres({ host: 'db', user: 'shop', password: secret('file:/run/secrets/shop') })
 */
export function secret(reference: string): () => Promise<string> {
  const [, kind, name = ''] = /^(env|file):(.+)$/s.exec(reference) ?? []
  if (!kind)
    throw new MoraineError('definition', 'A secret is named by where it is', {
      place: here(),
      hint: "Write secret('env:SHOP_PASSWORD') or secret('file:/run/secrets/shop').",
    })
  return async () => {
    const found = kind === 'env' ? userVariable(name) : await textOf(name)
    if (found) return found
    throw new MoraineError('source', `The secret ${reference} is not there, or is empty`, {
      hint: kind === 'env' ? `Set the variable ${name}.` : 'Check the path, and who may read it.',
    })
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.replace(/\r?\n$/, ''),
    () => undefined,
  )
}
