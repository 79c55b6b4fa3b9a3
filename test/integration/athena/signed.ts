import {
  canonicalRequest,
  hmac,
  type Scope,
  signingKey,
  stringToSign,
} from '../../../src/serve/aws/signature/canonical.js'

/** The time of a signature, as its day and whole. */
export function timesOf(at: Date): { time: string; day: string } {
  const time = at.toISOString().replace(/[-:]|\.\d+/g, '')
  return { time, day: time.slice(0, 8) }
}

/** What somebody who may do all signs a request with. */
export function signatureOf(
  request: Parameters<typeof canonicalRequest>[0],
  { time, scope, names, payload }: { time: string; scope: Scope; names: string[]; payload: string },
): string {
  const canonical = canonicalRequest(request, { service: scope.service, names, payload })
  const key = signingKey('boss-secret-0001', scope)
  return hmac(key, stringToSign(time, scope, canonical)).toString('hex')
}
