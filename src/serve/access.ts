import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../define/source.js'

/** Whether an address is this machine's own. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Whether a request names this server, as pages of others that were led here do not. */
export function namesUs(host: string | undefined, names: readonly string[]): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return isLoopback(name) || names.includes(name)
}

/** Whether the sender shows the token; in the same time whatever is wrong about it. */
export async function shows(header: string | undefined, token: Secret): Promise<boolean> {
  const expected = typeof token === 'function' ? await token() : token
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? ''
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest())
  return expected !== '' && timingSafeEqual(a as Buffer, b as Buffer)
}
