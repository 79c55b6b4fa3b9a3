import type { IncomingMessage } from 'node:http'
import type { Context, Next } from 'hono'
import { isLoopback } from '../../../define/access/encrypted.js'
import { forbidden } from '../errors.js'

/** Headers that proxies add to what they pass on. */
const PASSED_ON = /^(forwarded|via|x-forwarded-.+|x-real-ip)$/

/**
 * Whether a request comes from this machine itself, as Node's server says of its connection. What a
 * proxy of this machine passed on may come from anywhere, and where nothing is known of the
 * connection, it does not.
 */
function isFromHere(c: Context): boolean {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage }
  const address = incoming?.socket.remoteAddress?.replace(/^::ffff:/i, '')
  const isPassedOn = Object.keys(c.req.header()).some((name) => PASSED_ON.test(name.toLowerCase()))
  return address !== undefined && isLoopback(address) && !isPassedOn
}

/**
 * Lets nobody but this machine see where the files of a lake in a folder are: others could not open
 * them.
 */
export function onlyHere(isLocal: (c: Context) => boolean = isFromHere, behindProxy = false) {
  return async (c: Context, next: Next): Promise<void> => {
    if (behindProxy || !isLocal(c))
      throw forbidden(
        'This lake is in a folder of the machine that serves it: only engines on that machine can open its files. Keep the lake in a bucket to open it to others',
      )
    return next()
  }
}
