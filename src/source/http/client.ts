import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { HttpAuth, HttpSource, Secret } from '../../define/source.js'
import { MoraineError, messageOf } from '../../errors.js'
import { OwnSecrets } from '../../secrets.js'
import { userVariable } from '../../settings.js'
import { variablesIn } from '../declare/aws-secrets-in.js'
import { addressOf, isPrivate, PrivateAddress, publicOnly } from './addresses.js'

const ATTEMPTS = 6
const REDIRECTS = 5
/** The longest that a server may ask us to wait, in milliseconds. */
const LONGEST_WAIT = 300_000
/** Bytes of an answer that are kept in memory. */
const LARGEST = 256 * 2 ** 20

/** An answer, whole. */
export interface Answer {
  /** Where it came from, after redirects. */
  url: URL
  status: number
  type: string
  headers: IncomingMessage['headers']
  body: Buffer
}

/** A request: of `GET` there is no body. */
export interface ApiRequest {
  url: URL
  method: 'GET' | 'POST'
  body?: string
  /** Of the body. */
  type?: string
}

/** Variables of the environment that secrets of an API are read from, and that are not set. */
export const unsetVariables = (source: HttpSource): string[] =>
  variablesIn(source).filter((name) => !userVariable(name))

/** What goes to an address. */
interface Sent {
  headers: Record<string, string>
  /** Its address is not the definition's own: it may lead nowhere near this machine. */
  guarded: boolean
  body?: string | undefined
  method?: string
}

/** What is made of an answer before it counts as one. */
export interface Expected {
  /** Whether 404 is an answer, which has no rows, rather than an error. */
  mayBeMissing?: boolean
  /** Looks into an answer; what it throws as `Passing` is tried again. */
  check?: (answer: Answer) => void
}

/**
 * What passes may pass: the request is worth trying again, at the earliest so many milliseconds
 * from now.
 */
export class Passing extends Error {
  constructor(
    message: string,
    readonly wait?: number,
  ) {
    super(message)
  }
}

/** What a test puts in the place of time. */
export interface ClientEffects {
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** Connections to addresses that were looked at: none is shared with those that need no look. */
const guardedAgents = {
  'http:': new PlainAgent({ keepAlive: true, lookup: publicOnly }),
  'https:': new TlsAgent({ keepAlive: true, lookup: publicOnly }),
}

const realEffects: ClientEffects = {
  sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
}

/**
 * Asks one API. Credentials go to its own origin alone; redirects and next pages lead to private
 * addresses only where that is allowed. What may pass (429, 503, lost connections) is tried again,
 * as late as the server says.
 */
export class HttpClient {
  private readonly secrets = new OwnSecrets()
  private token: string | undefined
  private asked = 0

  constructor(
    private readonly source: HttpSource,
    /** The origin that gets credentials. */
    private readonly origin: URL,
    private readonly signal: AbortSignal,
    private readonly effects: ClientEffects = realEffects,
  ) {
    this.secrets.hide(origin.password)
  }

  /** Asks, and gives the answer; `undefined` where nothing is there, and that may be so. */
  async ask(request: ApiRequest, expected: Expected = {}): Promise<Answer | undefined> {
    if (this.asked++ > 0 && this.source.pause > 0)
      await this.effects.sleep(this.source.pause, this.signal)
    let renewed = false
    return this.again(request.url, async () => {
      const answer = await this.follow(request)
      if (answer.status === 404 && expected.mayBeMissing) return undefined
      if (
        answer.status !== 401 ||
        renewed ||
        !this.source.auth ||
        !('tokenUrl' in this.source.auth)
      ) {
        const good = this.checked(answer)
        expected.check?.(good)
        return good
      }
      renewed = true
      this.token = undefined
      throw new Passing('the token is no longer valid', 0)
    })
  }

  /** A text without what must not be told. */
  redact(text: string): string {
    return this.secrets.redact(text)
  }

  /**
   * The value of a secret, which is redacted from now on; a text that is no secret is not, unless
   * it is said to be one.
   */
  async reveal(secret: Secret, hidden = typeof secret === 'function'): Promise<string> {
    const value = typeof secret === 'function' ? await secret() : secret
    if (hidden) this.secrets.hide(value)
    return value
  }

  private async again<T>(url: URL, attempt: () => Promise<T>): Promise<T> {
    for (let count = 1; ; count++) {
      try {
        return await attempt()
      } catch (error) {
        this.signal.throwIfAborted()
        if (!(error instanceof Passing) || count >= ATTEMPTS) throw this.failure(url, error)
        const backoff = Math.random() * 250 * 2 ** count
        await this.effects.sleep(Math.min(error.wait ?? backoff, LONGEST_WAIT), this.signal)
      }
    }
  }

  private async follow(request: ApiRequest): Promise<Answer> {
    let at = request
    for (let count = 0; count <= REDIRECTS; count++) {
      const answer = await this.request(at)
      const to = answer.headers.location
      if (![301, 302, 303, 307, 308].includes(answer.status) || to === undefined) return answer
      const url = new URL(to, at.url)
      at = answer.status === 303 ? { url, method: 'GET' } : { ...at, url }
    }
    throw new Error(`it redirects more than ${REDIRECTS} times`)
  }

  private async request({ url, method, body, type }: ApiRequest) {
    const { protocol } = url
    if (protocol !== 'https:' && protocol !== 'http:')
      throw new Error(`it redirects to ${protocol}, which is not supported`)
    const home = url.origin === this.origin.origin
    if (!home && this.origin.protocol === 'https:' && protocol === 'http:')
      throw new Error('it redirects to an unencrypted address')
    // What a body holds is for the source alone, as credentials are.
    if (!home && method === 'POST')
      throw new Error(
        `it redirects to ${url.origin}, but request bodies are not sent to other hosts`,
      )
    const guarded = !this.source.allowPrivate && !this.isOwn(url)
    const address = addressOf(url)
    if (guarded && address && isPrivate(address)) throw new PrivateAddress(address)
    const headers: Record<string, string> = {
      accept: accepted(this.source),
      'accept-encoding': 'gzip, deflate, br',
      'user-agent': 'moraine',
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(home ? await this.credentials() : {}),
    }
    return this.send(url, { headers, guarded, body, method })
  }

  /**
   * Whether an address is where the definition itself leads: the source's origin, or the same host
   * with encryption.
   */
  private isOwn({ origin, protocol, hostname, port }: URL): boolean {
    const own = this.origin
    const isUpgrade = own.protocol === 'http:' && protocol === 'https:'
    return (
      origin === own.origin ||
      (isUpgrade && hostname === own.hostname && port === '' && own.port === '')
    )
  }

  private async credentials(): Promise<Record<string, string>> {
    const { auth, headers } = this.source
    const own = await Promise.all(
      Object.entries(headers).map(
        async ([name, value]) => [name, await this.reveal(value)] as const,
      ),
    )
    return { ...Object.fromEntries(own), ...(auth ? await this.authorization(auth) : {}) }
  }

  private async authorization(auth: HttpAuth): Promise<Record<string, string>> {
    if ('bearer' in auth) return { authorization: `Bearer ${await this.reveal(auth.bearer, true)}` }
    if ('header' in auth) return { [auth.header]: await this.reveal(auth.value, true) }
    if ('user' in auth) {
      const both = `${auth.user}:${await this.reveal(auth.password, true)}`
      return { authorization: `Basic ${Buffer.from(both).toString('base64')}` }
    }
    this.token ??= await this.newToken(auth)
    return { authorization: `Bearer ${this.token}` }
  }

  private async newToken(auth: Extract<HttpAuth, { tokenUrl: string }>): Promise<string> {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: auth.clientId,
      client_secret: await this.reveal(auth.clientSecret, true),
      ...(auth.scope === undefined ? {} : { scope: auth.scope }),
    })
    const url = new URL(auth.tokenUrl)
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    }
    const answer = this.checked(
      await this.send(url, { headers, guarded: false, body: form.toString() }),
    )
    const token = readToken(answer.body)
    if (token === undefined) throw new Error(`${url.origin} returned no access token`)
    this.secrets.hide(token)
    return token
  }

  private send(
    url: URL,
    { headers, guarded, body, method = body === undefined ? 'GET' : 'POST' }: Sent,
  ): Promise<Answer> {
    const { signal, source } = this
    const { timeout } = source
    const request = url.protocol === 'https:' ? tlsRequest : plainRequest
    return new Promise((resolve, reject) => {
      const agent = guarded ? guardedAgents[url.protocol as keyof typeof guardedAgents] : undefined
      const sent = request(url, { method, headers, signal, timeout, agent }, (message) => {
        const { statusCode: status = 0, headers: received } = message
        const type = received['content-type'] ?? ''
        wholeBody(message).then(
          (body) => resolve({ url, type, headers: received, status, body }),
          reject,
        )
      })
      sent.on('timeout', () => sent.destroy(new Passing('it does not respond')))
      sent.on('error', reject)
      sent.end(body)
    }).catch((error) => {
      throw passes(error) ? new Passing(messageOf(error)) : error
    }) as Promise<Answer>
  }

  /** An answer that holds what was asked for. */
  private checked(answer: Answer): Answer {
    const { status, headers, body } = answer
    if (status === 429 || status === 408 || status >= 500)
      throw new Passing(`it responds with ${status}`, waitOf(headers['retry-after']))
    if (status >= 300 || status < 200) {
      const text = body.toString('utf8').replace(/\s+/g, ' ').slice(0, 200)
      throw new Error(`it responds with ${status}${text && !isPage(answer) ? `: ${text}` : ''}`)
    }
    if (isPage(answer, this.source))
      throw new Error('it responds with a web page (HTML) instead of rows')
    return answer
  }

  private failure(url: URL, error: unknown): MoraineError {
    if (error instanceof MoraineError) return error
    const place = `${url.origin}${url.pathname}`
    const message = this.redact(messageOf(error))
    const hint = /web page|responds with (401|403)/.test(message)
      ? 'Check the URL, and whether auth is what the API expects.'
      : error instanceof PrivateAddress
        ? 'A redirect or a next page led there. To allow this, set allowPrivate: true.'
        : 'Nothing was ingested from it. Check the URL and run again.'
    return new MoraineError('source', `${place}: ${message}`, { hint })
  }
}

/**
 * Whether an answer is a web page: by its first bytes; by what it says of itself where nobody else
 * says what it is.
 */
function isPage({ type, body }: Answer, source?: HttpSource): boolean {
  const start = body
    .toString('latin1', 0, 1000)
    .replace(/^(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?/, '')
  const says = /text\/html|application\/xhtml/i.test(type)
  return (
    /^<(!doctype\s+html|html)\b/i.test(start) || (says && (!source?.format || start[0] === '<'))
  )
}

function accepted({ format }: HttpSource): string {
  if (format === 'xml') return 'application/xml, text/xml, */*;q=0.1'
  if (format === 'csv') return 'text/csv, */*;q=0.1'
  return 'application/json, application/x-ndjson, text/csv, */*;q=0.1'
}

async function wholeBody(message: IncomingMessage): Promise<Buffer> {
  const unpack = {
    gzip: createGunzip,
    'x-gzip': createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  }[message.headers['content-encoding'] ?? '']
  const body: Readable = unpack ? message.pipe(unpack()) : message
  if (unpack) message.on('error', (error) => body.destroy(error))
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > LARGEST) {
      message.destroy()
      throw new Error('a response is longer than 256 MiB')
    }
    chunks.push(chunk)
  }
  if (!message.complete) throw new Passing('the response was cut off')
  return Buffer.concat(chunks)
}

function passes(error: unknown): boolean {
  const { code = '' } = error as { code?: string }
  return [
    'ECONNRESET',
    'ECONNREFUSED',
    'ETIMEDOUT',
    'EPIPE',
    'EAI_AGAIN',
    'ERR_STREAM_PREMATURE_CLOSE',
  ].includes(code)
}

/** How long a server asks us to wait: seconds, or a date (RFC 9110, 10.2.3). */
function waitOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const milliseconds = /^\d+$/.test(header)
    ? Number(header) * 1000
    : Date.parse(header) - Date.now()
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : undefined
}

function readToken(body: Buffer): string | undefined {
  try {
    const { access_token: token } = JSON.parse(body.toString('utf8'))
    return typeof token === 'string' ? token : undefined
  } catch {
    return undefined
  }
}
