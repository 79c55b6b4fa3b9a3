import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { parseJson } from '../../../iceberg/json.js'
import { isObject, type Json } from '../../../iceberg/spec/updates/json.js'
import { HeldBytes } from '../../../query/service/held-bytes.js'
import { sha256 } from '../../../storage/checksum.js'
import { BadBody, readBody, refuseEncoded } from '../../body.js'
import { isDeeper } from '../../json-depth.js'
import type { Caller, RequestKey } from '../caller.js'
import { badRequest, RestError } from '../errors.js'

/** Bytes of one request: a schema of ten thousand columns has one million. */
const LARGEST = 16 * 2 ** 20
/** Bytes of a request of somebody who has not shown who it is: for a token. */
export const LARGEST_FORM = 16 * 2 ** 10
/** Bytes of what a client reports of a scan or commit. */
export const LARGEST_REPORT = 2 ** 20
/**
 * Bytes of all requests that are being answered, and of those of one principal. What is made of
 * them takes twenty times as much.
 */
const HELD = { all: 3 * LARGEST, each: 2 * LARGEST }
/** Levels of lists and objects in a request. */
const DEEPEST = 500

/** What is held for a request: for all, and for who asks. */
interface Share {
  bytes: number
  of: HeldBytes
}

/**
 * Reads bodies of requests, all together within a limit, of which nobody can use up all.
 * They count until the request is answered: what was made of them is in memory as long.
 */
export class Bodies {
  private readonly all = new HeldBytes(HELD.all)
  private readonly each = new Map<string, HeldBytes>()
  private readonly shares = new WeakMap<Context, Share>()

  async text(c: Context, most = LARGEST): Promise<string> {
    return (await this.bytes(c, most)).toString()
  }

  async json(c: Context): Promise<Json> {
    const bytes = await this.bytes(c, LARGEST)
    if (isDeeper(bytes, DEEPEST))
      throw badRequest(`The body of the request has more than ${DEEPEST} levels`)
    const text = bytes.toString()
    const caller: Caller | undefined = c.get('caller')
    if (caller?.request) c.set('caller', { ...caller, request: withBody(caller.request, text) })
    let value: unknown
    try {
      value = parseJson(text)
    } catch {
      throw badRequest('The body of the request is not JSON')
    }
    if (!isObject(value)) throw badRequest('The body of the request is not a JSON object')
    return value
  }

  /** Its body is held no longer: the request is answered. */
  done(c: Context): void {
    const share = this.shares.get(c)
    if (!share) return
    this.shares.delete(c)
    this.give(share, share.bytes)
  }

  private async bytes(c: Context, most: number): Promise<Buffer> {
    const counted = { bytes: 0 }
    const share: Share = { bytes: 0, of: this.shareOf(c) }
    this.shares.set(c, share)
    // Both count what is there before it is kept.
    const held = {
      take: (bytes: number) => {
        if (!share.of.take(bytes)) return false
        if (this.all.take(bytes)) {
          share.bytes += bytes
          return true
        }
        share.of.give(bytes)
        return false
      },
    }
    try {
      refuseEncoded(c.req.header('content-encoding'))
      const bytes = await readBody(c.req.raw.body, { most, held }, counted)
      if (!isUtf8(bytes)) throw badRequest('The body of the request is not valid UTF-8')
      return bytes
    } catch (error) {
      if (!(error instanceof BadBody)) throw error
      if (error.status === 503)
        throw new RestError(503, 'ServiceUnavailableException', error.message)
      const status = error.status === 413 || error.status === 415 ? error.status : 400
      throw new RestError(status, 'BadRequestException', error.message)
    }
  }

  private shareOf(c: Context): HeldBytes {
    const caller: Caller | undefined = c.get('caller')
    const name = caller?.principal.name ?? ''
    const known = this.each.get(name) ?? new HeldBytes(HELD.each)
    this.each.set(name, known)
    return known
  }

  private give({ of }: Share, bytes: number): void {
    of.give(bytes)
    this.all.give(bytes)
  }
}

const withBody = ({ key, sha256: what }: RequestKey, body: string): RequestKey => ({
  key,
  sha256: sha256(`${what} ${body}`),
})
