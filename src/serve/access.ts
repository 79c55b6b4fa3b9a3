import { createHash, timingSafeEqual } from 'node:crypto'
import { isLoopback } from '../define/access/encrypted.js'
import type { Secret } from '../define/source.js'

/** Whether a request names this server, as pages of others that were led here do not. */
export function namesUs(host: string | undefined, names: readonly string[]): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return isLoopback(name) || names.includes(name)
}

/**
 * Whether a browser says that a page of another site sent this; a link that somebody follows is
 * none of its doing.
 *
 * @param header the value of one of the request's headers.
 */
export function isCrossSite(header: (name: string) => string | undefined, method: string): boolean {
  if (header('sec-fetch-site') !== 'cross-site') return false
  const isLink = header('sec-fetch-mode') === 'navigate' && header('sec-fetch-dest') === 'document'
  return !(isLink && (method === 'GET' || method === 'HEAD'))
}

/** Whether the sender shows the token; in the same time whatever is wrong about it. */
export async function shows(header: string | undefined, token: Secret): Promise<boolean> {
  const expected = typeof token === 'function' ? await token() : token
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? ''
  return isSameSecret(given, expected) && expected !== ''
}

/** Whether two secrets are the same; in the same time wherever they differ. */
export function isSameSecret(given: string, right: string): boolean {
  const [a, b] = [given, right].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(a as Buffer, b as Buffer)
}
