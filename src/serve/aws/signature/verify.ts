import { timingSafeEqual } from 'node:crypto'
import {
  canonicalRequest,
  hmac,
  partsOf,
  type Scope,
  type SignedRequest,
  signingKey,
  stringToSign,
} from './canonical.js'
import { mismatch, SignatureFailure } from './failure.js'

/** Who has an access key. */
export interface KeyHolder<Who> {
  who: Who
  secret: string
}

/** A key, with the token that came with it where it is temporary. */
export interface AskedKey {
  id: string
  token: string | undefined
}

/** A request that was proved, as far as its head goes: its body is proved while it is read. */
export interface Verified<Who> {
  who: Who
  keyId: string
  scope: Scope
  /** What `BodyReader` holds the body to. */
  payload: Payload
}

/** What the body must be. */
export type Payload =
  | { kind: 'hash'; sha256: string }
  | { kind: 'unsigned' }
  | { kind: 'chunks'; signed?: ChunkSigning; trailer: boolean }

/** What signs the chunks of a body. */
export interface ChunkSigning {
  key: Buffer
  time: string
  scope: Scope
  seed: string
}

/** Milliseconds that the clocks of a client and this machine may differ. */
const SKEW = 15 * 60_000
const LONGEST_PRESIGNED = 7 * 24 * 3600
const SERVICES = ['athena', 'glue', 's3', 'sts']
/** Headers that decide what a request does, and so must be signed. */
const MUST_SIGN = /^(x-amz-(?!user-agent$).*|content-md5)$/

/** A request as it asks to be believed. */
export interface Asking extends SignedRequest {
  /** All names of headers that came, in lower case. */
  present: readonly string[]
  /** The SHA-256 of the body, where it was read before: of all but S3's. */
  bodySha256: string
}

interface Claimed {
  id: string
  scope: Scope
  names: string[]
  signature: string
  time: string
  token: string | undefined
  /** Seconds for which a link holds. */
  expires?: number
}

/**
 * Proves by its signature who sent a request: in its headers, or in the query of a link that was
 * signed before.
 *
 * @param keyFor the holder of a key, `undefined` where there is none.
 * @throws SignatureFailure for everything else.
 */
export async function verify<Who>(
  request: Asking,
  keyFor: (key: AskedKey) => Promise<KeyHolder<Who> | undefined>,
  now = Date.now(),
): Promise<Verified<Who>> {
  const claimed = claimsIn(request)
  checkTime(claimed, now)
  const { id, scope, names, signature, time, token } = claimed
  if (!names.includes('host')) throw incomplete('host is not among the signed headers')
  const open = request.present.find((name) => MUST_SIGN.test(name) && !names.includes(name))
  if (open !== undefined) throw incomplete(`the header ${open} is not signed`)
  const stated = payloadWord(request, claimed)
  const holder = await keyFor({ id, token })
  const key = signingKey(holder?.secret ?? '-', scope)
  const canonical = safely(() =>
    canonicalRequest(request, { service: scope.service, names, payload: stated }),
  )
  const right = hmac(key, stringToSign(time, scope, canonical))
  const given = Buffer.from(signature, 'hex')
  if (given.length !== right.length || !timingSafeEqual(given, right) || !holder) throw mismatch()
  return {
    who: holder.who,
    keyId: id,
    scope,
    payload: payloadOf(stated, { key, time, scope, seed: signature }),
  }
}

function claimsIn(request: SignedRequest): Claimed {
  const authorization = request.header('authorization')
  const { pairs } = safely(() => partsOf(request.target))
  const asked = pairs.map(([name]) => name)
  // Signed are all values in order: whoever passes it on could choose which one comes first.
  const twice = asked.find((name, i) => asked.indexOf(name) !== i)
  if (twice !== undefined) throw incomplete(`${twice.slice(0, 80)} stands in the query twice`)
  const isLink = pairs.some(([name]) => name === 'X-Amz-Signature')
  if (authorization !== undefined && isLink)
    throw incomplete('a signature stands in the header and in the query')
  if (isLink) return claimsOfLink(pairs)
  if (authorization === undefined)
    throw new SignatureFailure('MissingAuthenticationToken', 'The request is not signed')
  const found =
    /^AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})$/.exec(
      authorization,
    )
  if (!found) throw incomplete('the Authorization header is not one of AWS4-HMAC-SHA256')
  const [, credential = '', names = '', signature = ''] = found
  const time = request.header('x-amz-date') ?? ''
  return {
    ...keyAndScope(credential),
    names: names.split(';'),
    signature,
    time,
    token: request.header('x-amz-security-token'),
  }
}

function claimsOfLink(pairs: readonly (readonly [string, string])[]): Claimed {
  const query = new Map(pairs)
  const one = (name: string) => query.get(name)
  if (one('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
    throw incomplete('X-Amz-Algorithm is not AWS4-HMAC-SHA256')
  const expires = Number(one('X-Amz-Expires'))
  if (!Number.isInteger(expires) || expires < 1 || expires > LONGEST_PRESIGNED)
    throw incomplete(`X-Amz-Expires is not a number of seconds from 1 to ${LONGEST_PRESIGNED}`)
  const signature = one('X-Amz-Signature') ?? ''
  if (!/^[0-9a-f]{64}$/.test(signature)) throw incomplete('X-Amz-Signature is not a signature')
  return {
    ...keyAndScope(one('X-Amz-Credential') ?? ''),
    names: (one('X-Amz-SignedHeaders') ?? '').split(';'),
    signature,
    time: one('X-Amz-Date') ?? '',
    token: one('X-Amz-Security-Token'),
    expires,
  }
}

function keyAndScope(credential: string): { id: string; scope: Scope } {
  const [id = '', day = '', region = '', service = '', end, ...more] = credential.split('/')
  const isWhole = id !== '' && /^\d{8}$/.test(day) && /^[a-z0-9-]{1,32}$/.test(region)
  if (!isWhole || end !== 'aws4_request' || more.length > 0)
    throw incomplete('the credential has no scope of day, region and service')
  if (!SERVICES.includes(service))
    throw new SignatureFailure(
      'SignatureDoesNotMatch',
      `The service '${service}' is not served here: there are ${SERVICES.join(', ')}`,
    )
  return { id, scope: { day, region, service } }
}

function checkTime({ time, scope, expires }: Claimed, now: number): void {
  const [, y, m, d, h, min, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? []
  const at = Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`)
  if (Number.isNaN(at)) throw incomplete('the time of the signature is missing or not a time')
  if (!time.startsWith(scope.day)) throw incomplete('the time is not of the day of the credential')
  const isOver = expires === undefined ? at < now - SKEW : at + expires * 1000 < now
  if (isOver && expires !== undefined)
    throw new SignatureFailure('AccessDenied', 'Request has expired')
  if (isOver || at > now + SKEW)
    throw new SignatureFailure(
      'RequestTimeTooSkewed',
      `The request was signed at ${time}, and it is ${new Date(now).toISOString()} here: set the clock`,
    )
}

/** What stands in the canonical request for the body. */
function payloadWord({ header, bodySha256 }: Asking, { scope, expires }: Claimed): string {
  // Whatever a client says of it, only the body itself counts.
  if (scope.service !== 's3') return bodySha256
  const said = header('x-amz-content-sha256')
  if (said === undefined && expires === undefined)
    throw incomplete('the header x-amz-content-sha256 is missing')
  return said ?? 'UNSIGNED-PAYLOAD'
}

function payloadOf(word: string, signed: ChunkSigning): Payload {
  if (/^[0-9a-f]{64}$/.test(word)) return { kind: 'hash', sha256: word }
  if (word === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  if (word === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return { kind: 'chunks', trailer: true }
  if (word === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
    return { kind: 'chunks', signed, trailer: false }
  if (word === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER')
    return { kind: 'chunks', signed, trailer: true }
  throw incomplete(`x-amz-content-sha256 is '${word.slice(0, 80)}', which is not a hash`)
}

/** The SHA-256 of nothing. */
export const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const incomplete = (why: string) =>
  new SignatureFailure('IncompleteSignature', `The signature is not complete: ${why}`, 400)

function safely<T>(make: () => T): T {
  try {
    return make()
  } catch {
    throw incomplete('the path or the query is not encoded as URLs are')
  }
}
