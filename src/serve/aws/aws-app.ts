import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Context } from 'hono'
import { HeldText } from '../../query/formats/held-text.js'
import { HeldBytes } from '../../query/service/held-bytes.js'
import type { Caller } from '../../query/service/request.js'
import { readBody } from '../body.js'
import type { Principals } from '../principals.js'
import { athena } from './athena/operations.js'
import { glue } from './glue/glue.js'
import { keysOf } from './keys.js'
import { type PartOptions, partsOf as servicesOf } from './parts.js'
import { AwsError } from './protocol/failure.js'
import { fieldsIn } from './protocol/fields.js'
import { errorBody, isOurs, type Service, type Told, toldOf } from './protocol/told.js'
import { s3 } from './s3/s3.js'
import { provedBody } from './signature/body.js'
import { partsOf, sha256 } from './signature/canonical.js'
import { mismatch } from './signature/failure.js'
import { type Asking, EMPTY, verify } from './signature/verify.js'
import { sts } from './sts/sts.js'

export interface AwsOptions extends PartOptions {
  principals: Principals
  /** Milliseconds in which a client takes something of an answer: a minute when not given. */
  patience?: number
  now?: () => number
}

/** Bytes of a request to Athena, Glue or STS, and of all that are being read. */
const LARGEST = 2 ** 20
const HELD = 64 * LARGEST
/** Bytes of an object that is put at once. */
const LARGEST_OBJECT = 5 * 2 ** 30

/** Athena, Glue, S3 and STS on one port: told apart by what a request's signature is for. */
export class AwsProtocols {
  private readonly parts: ReturnType<typeof servicesOf>
  private readonly held = new HeldBytes(HELD)

  constructor(private readonly options: AwsOptions) {
    this.parts = servicesOf(options)
  }

  /** Whether a request is signed as those to AWS are. */
  handles(c: Context): boolean {
    return serviceIn(c) !== undefined
  }

  async answer(c: Context): Promise<Response> {
    const service = serviceIn(c) ?? 's3'
    const requestId = randomUUID()
    try {
      if (isOfVersion2(c)) throw tooOld()
      const found = service === 's3' ? await this.s3(c) : await this.call(c, service)
      found.headers.set('x-amzn-requestid', requestId)
      return found
    } catch (error) {
      const told = toldOf(error, service)
      if (isOurs(told)) this.options.onError?.(error)
      return failed(c, told, service, requestId)
    }
  }

  /** Tells a client to come again, in words on which SDKs do. */
  refuse(c: Context, message: string): Response {
    const service = serviceIn(c) ?? 's3'
    const code = service === 's3' ? 'SlowDown' : 'ThrottlingException'
    return failed(c, { status: 503, code, message, fields: {} }, service, randomUUID())
  }

  /** Reads what this server's state has of before. */
  async resume(): Promise<void> {
    const { executions, named, prepared } = this.parts.athena
    await Promise.all([executions.load(), named.load(), prepared.load()])
  }

  async close(): Promise<void> {
    await this.parts.athena.executions.close()
  }

  /** What was signed for one service is good for no other: links are handed on. */
  private async verified(asking: Asking, service: Service) {
    const found = await verify<Caller>(
      asking,
      keysOf(this.options.principals),
      this.options.now?.(),
    )
    if (found.scope.service !== service) throw mismatch()
    return found
  }

  /** A call of Athena, Glue or STS, whose body is small. */
  private async call(c: Context, service: Exclude<Service, 's3'>): Promise<Response> {
    const counted = { bytes: 0 }
    try {
      const body = await readBody(c.req.raw.body, { most: LARGEST, held: this.held }, counted)
      const { who } = await this.verified(askingOf(c, sha256(body)), service)
      if (service === 'sts') {
        const form = new URLSearchParams(
          c.req.method === 'GET' ? partsOf(targetOf(c)).pairs : body.toString(),
        )
        const answer = await sts(form, who, this.options.principals)
        return new Response(answer, { headers: { 'content-type': 'text/xml' } })
      }
      const [prefix, operation = ''] = (c.req.header('x-amz-target') ?? '').split('.')
      if (prefix !== TARGETS[service])
        throw new AwsError(
          'UnknownOperationException',
          `X-Amz-Target does not begin with ${TARGETS[service]}`,
        )
      const sent = fieldsIn(body)
      const answer =
        service === 'athena'
          ? await athena(operation, sent, who, this.parts.athena)
          : await glue(operation, sent, who, this.parts.glue)
      const text = answer instanceof HeldText ? answer : await HeldText.of(JSON.stringify(answer))
      return text.response('application/x-amz-json-1.1', this.options.patience)
    } finally {
      this.held.give(counted.bytes)
    }
  }

  private async s3(c: Context): Promise<Response> {
    const { who, payload } = await this.verified(askingOf(c, EMPTY), 's3')
    const header = (name: string) => c.req.header(name)
    const source = c.req.raw.body ? Readable.fromWeb(c.req.raw.body as never) : Readable.from([])
    const body = provedBody(source as AsyncIterable<Uint8Array>, payload, header, LARGEST_OBJECT)
    const request = { method: c.req.method, target: targetOf(c), header, body, caller: who }
    const { status, headers = {}, body: answer } = await s3(request, this.parts.s3)
    const isStream =
      answer !== undefined && typeof answer === 'object' && Symbol.asyncIterator in answer
    const sent = isStream
      ? (Readable.toWeb(Readable.from(answer as AsyncIterable<Uint8Array>)) as never)
      : ((answer ?? null) as never)
    return new Response(sent, { status, headers })
  }
}

function failed(c: Context, told: Told, service: Service, requestId: string): Response {
  const { type, body } = errorBody(told, service, requestId)
  const headers = {
    ...{ 'content-type': type, 'x-amzn-requestid': requestId, 'x-amzn-errortype': told.code },
    // What is not read of the body would be taken for the next request.
    ...(service === 's3' ? { connection: 'close' } : {}),
  }
  return new Response(c.req.method === 'HEAD' ? null : body, { status: told.status, headers })
}

const TARGETS = { athena: 'AmazonAthena', glue: 'AWSGlue' }

/** The service that a signature is for, by what it says itself. */
function serviceIn(c: Context): Service | undefined {
  if (isOfVersion2(c)) return 's3'
  const authorization = c.req.header('authorization')
  const inLink = /[?&]X-Amz-Credential=([^&]*)/.exec(c.req.url)?.[1] ?? ''
  const credential = authorization?.startsWith('AWS4-HMAC-SHA256')
    ? (/Credential=([^,\s]*)/.exec(authorization)?.[1] ?? '')
    : inLink.replaceAll(/%2f/gi, '/')
  if (credential === '') return undefined
  const [, , , service] = credential.split('/')
  return service === 'athena' || service === 'glue' || service === 'sts' ? service : 's3'
}

/**
 * Whether a request is signed as those to S3 were of old, by which some clients sign links still.
 */
const isOfVersion2 = (c: Context): boolean =>
  (/[?&]AWSAccessKeyId=/.test(c.req.url) && /[?&]Signature=/.test(c.req.url)) ||
  /^AWS [^\s:]+:/.test(c.req.header('authorization') ?? '')

const tooOld = () =>
  new AwsError(
    'InvalidRequest',
    "The request is signed by version 2, and version 4 is needed: AWS4-HMAC-SHA256 (boto3: Config(signature_version='s3v4'))",
  )

/** A request's address as it came: a parsed one may have lost what was signed. */
const targetOf = (c: Context): string => {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage }
  const { pathname, search } = new URL(c.req.url)
  return incoming?.url?.startsWith('/') ? incoming.url : pathname + search
}

function askingOf(c: Context, bodySha256: string): Asking {
  return {
    method: c.req.method,
    target: targetOf(c),
    header: (name) => c.req.header(name),
    present: [...c.req.raw.headers.keys()],
    bodySha256,
  }
}
