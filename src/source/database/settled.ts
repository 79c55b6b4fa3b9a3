import type { Connection, OpenConnection } from '../../define/source.js'

/**
 * A connection whose address is known, where it is a secret.
 *
 * @throws MoraineError of kind `source` where the secret is missing.
 */
export async function settled({ url, ...others }: Connection): Promise<OpenConnection> {
  return { ...others, url: typeof url === 'function' ? await url() : url }
}
