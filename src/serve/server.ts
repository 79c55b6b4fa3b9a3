import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { Bronze } from '../define/model.js'
import type { IngestSource, Secret } from '../define/source.js'
import { MoraineError } from '../errors.js'
import { HeldBytes } from '../query/service/held-bytes.js'
import { isCrossSite, namesUs, shows } from './access.js'
import { BadBody, BUSY, readBody, refuseEncoded, rowsIn } from './body.js'
import { Bounds, type Limits } from './connections/bounds.js'
import { incomingOf, refused, type Signed } from './connections/refused.js'
import { type IngestBuffer, KeyConflict } from './ingest-buffer.js'
import { type Protocol, sharePort } from './postgres/shared-port.js'
import type { Health, StorageHealth } from './storage-health.js'

/** A dataset that takes what is sent. */
export interface Receiver {
  dataset: Bronze
  source: IngestSource
  /** Missing until the lake was read once: nothing can be accepted before. */
  buffer?: IngestBuffer
}

/** Bytes of requests that may be held in memory together, where nothing else is said. */
const HELD = 64 * 2 ** 20
/** Milliseconds that a request waits for its rows to be durable. */
const DURABLE_WITHIN = 15_000
/** Seconds after which whoever is refused should come again. */
const SOON = 1
const LATER = 5

export interface ServerOptions {
  port: number
  host: string
  /** Names under which the server is reached, beside this machine's own. */
  names: readonly string[]
  receivers: readonly Receiver[]
  /** Buckets and others that say when something has arrived. */
  listeners?: readonly Listener[]
  /** What Prometheus reads, and what people do, and what they must show for that. */
  metrics?: { text: () => Promise<string>; status: () => object; token: Secret | undefined }
  /** What is known of the lake's storage. */
  health?: StorageHealth
  /** An Iceberg REST catalog, which is reached under `/iceberg`. */
  catalog?: Hono
  /** Answers queries, below `/v1`. */
  queries?: Hono
  /** Tools for agents, below `/mcp`. */
  agents?: Hono
  /** Answers clients of PostgreSQL on the same port. */
  postgres?: Protocol
  /** Answers requests that are signed as those to AWS are. */
  aws?: Signed
  /** Counts the bytes of requests that are being received. */
  held?: HeldBytes
  /** What clients may have of the server at the same time, where it is not what is usual. */
  limits?: Partial<Limits>
  /** Hears of what went wrong inside, of which clients are told only that something did. */
  onError?: (error: unknown) => void
}

/** A dataset whose source says when something has arrived. */
export interface Listener {
  dataset: string
  token: Secret | undefined
  notify: () => void
}

export interface RunningServer {
  port: number
  /** Takes nothing more, and resolves when all that was taken is durable. */
  close(): Promise<void>
}

/** The longest key that requests may have. */
const LONGEST_KEY = 200

/** The application, as requests see it. */
export function application(
  options: Omit<ServerOptions, 'port' | 'host'>,
  bounds = new Bounds(),
): Hono {
  const { names, receivers, metrics, health, aws } = options
  const app = new Hono()
  // The process is up, however much it has to do.
  app.get('/healthz', async (c, next) =>
    namesUs(c.req.header('host'), names) && !aws?.handles(c) ? c.json({ status: 'ok' }) : next(),
  )
  app.use(async (c, next) => (bounds.refuses(incomingOf(c)) ? refused(c, aws) : next()))
  app.use(async (c, next) => {
    if (!namesUs(c.req.header('host'), names)) return c.json({ error: 'unknown Host header' }, 421)
    // Programs send no origin; pages of other sites do.
    const origin = c.req.header('origin')
    const isOther =
      origin === undefined
        ? isCrossSite((name) => c.req.header(name), c.req.method)
        : !(URL.canParse(origin) && namesUs(new URL(origin).host, names))
    if (isOther) return c.json({ error: 'cross-origin requests are refused' }, 403)
    return next()
  })
  if (aws) app.use(async (c, next) => (aws.handles(c) ? aws.answer(c) : next()))
  // Whether it can do its work is another question than whether it is up.
  app.get('/readyz', (c) => {
    if (receivers.some(({ buffer }) => !buffer)) return c.json({ status: 'starting' }, 503)
    if (health && !health.state.up) return c.json({ status: 'storage is away' }, 503)
    return c.json({ status: 'ok' })
  })
  routeArrivals(app, options)
  if (options.catalog) {
    app.use('/iceberg/*', async (c, next) => (!health || health.state.up ? next() : catalogAway(c)))
    app.route('/iceberg', options.catalog)
  }
  if (options.queries) app.route('/v1', options.queries)
  if (options.agents) app.route('/mcp', options.agents)
  if (metrics) routeMetrics(app, metrics)
  app.get('/openapi.json', async (c) => {
    const { serverDocument } = await import('./openapi/server-document.js')
    return c.json(serverDocument(app.routes))
  })
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => {
    options.onError?.(error)
    return c.json({ error: 'the server failed to answer' }, 500)
  })
  return app
}

const noToken = (c: Context) => c.json({ error: 'the token is missing or wrong' }, 401)

/**
 * Whether a request may do what needs a token; without one everybody may who reaches this server.
 */
async function isAllowed(c: Context, token: Secret | undefined): Promise<boolean> {
  return token === undefined || shows(c.req.header('authorization'), token)
}

/** Whether a request may hear that there is no such dataset: one that may send to another. */
async function mayHear(c: Context, tokens: readonly (Secret | undefined)[]): Promise<boolean> {
  const all = await Promise.all(tokens.map((token) => isAllowed(c, token)))
  return all.length === 0 || all.includes(true)
}

/** Takes rows, and word of what has arrived elsewhere. */
function routeArrivals(
  app: Hono,
  {
    receivers,
    listeners = [],
    health,
    held = new HeldBytes(HELD),
  }: Pick<ServerOptions, 'receivers' | 'listeners' | 'health' | 'held'>,
): void {
  app.post('/ingest/:dataset', async (c) => {
    const receiver = receivers.find(({ dataset }) => dataset.name === c.req.param('dataset'))
    const tokens = (receiver ? [receiver] : receivers).map(({ source }) => source.token)
    if (!(await mayHear(c, tokens))) return noToken(c)
    if (!receiver) return c.json({ error: 'no such dataset accepts rows' }, 404)
    return receive(c, receiver, held, health)
  })
  // What is said to have arrived is looked for: the message itself is not believed.
  app.post('/events/:dataset', async (c) => {
    const listener = listeners.find(({ dataset }) => dataset === c.req.param('dataset'))
    const tokens = (listener ? [listener] : listeners).map(({ token }) => token)
    if (!(await mayHear(c, tokens))) return noToken(c)
    if (!listener) return c.json({ error: 'no such dataset has an inbox' }, 404)
    await c.req.raw.body?.cancel()
    listener.notify()
    return c.json({ accepted: true }, 202)
  })
}

function routeMetrics(
  app: Hono,
  { token, text, status }: NonNullable<ServerOptions['metrics']>,
): void {
  const guarded = (answer: (c: Context) => Response | Promise<Response>) => async (c: Context) =>
    (await isAllowed(c, token)) ? answer(c) : noToken(c)
  const plain = 'text/plain; version=0.0.4; charset=utf-8'
  app.get(
    '/metrics',
    guarded(async (c) => c.body(await text(), 200, { 'content-type': plain })),
  )
  app.get(
    '/status',
    guarded((c) => c.json(status())),
  )
}

async function receive(
  c: Context,
  { source, buffer }: Receiver,
  held: HeldBytes,
  health: StorageHealth | undefined,
): Promise<Response> {
  const refuse = (error: string, seconds: number) => {
    c.header('retry-after', String(seconds))
    // What is not read of the body would be taken for the next request.
    c.header('connection', 'close')
    return c.json({ error }, 503)
  }
  const key = c.req.header('idempotency-key')
  if (key !== undefined && (key === '' || key.length > LONGEST_KEY))
    return c.json({ error: `an Idempotency-Key must have 1 to ${LONGEST_KEY} characters` }, 400)
  if (timesSent(c, 'idempotency-key') > 1)
    return c.json({ error: 'the request has more than one Idempotency-Key' }, 400)
  const announced = Number(c.req.header('content-length') ?? 0)
  if (announced > source.maxBytes)
    return c.json({ error: `the request body exceeds the limit of ${source.maxBytes} bytes` }, 413)
  const state = health?.state ?? { up: true }
  if (!state.up) return refuse(AWAY, secondsUntil(state))
  if (!buffer) return refuse(STARTING, SOON)
  if (!held.hasRoom(announced) || !buffer.hasRoom(announced)) return refuse(BUSY, SOON)
  const counted = { bytes: 0 }
  let accepted: Promise<unknown> | undefined
  try {
    refuseEncoded(c.req.header('content-encoding'))
    const rows = rowsIn(await readBody(c.req.raw.body, { most: source.maxBytes, held }, counted))
    if (!buffer.hasRoom(counted.bytes)) return refuse(BUSY, SOON)
    const durable = buffer.accept(rows, key)
    accepted = durable.catch(() => {})
    return c.json(await soon(durable), 200)
  } catch (error) {
    if (error instanceof KeyConflict)
      return c.json(
        { error: `the Idempotency-Key ${key} was already used for a different body` },
        409,
      )
    if (error instanceof BadBody && error.status === 503) return refuse(error.message, SOON)
    if (error instanceof BadBody) {
      if (error.status === 408 || error.status === 415) c.header('connection', 'close')
      return c.json({ error: error.message }, error.status)
    }
    if (!(error instanceof MoraineError && error.kind === 'storage')) throw error
    health?.suspect(error)
    return refuse(AWAY, secondsUntil(health?.state ?? { up: true }))
  } finally {
    // What waits to become durable is held as well, whoever waits for it.
    const give = () => held.give(counted.bytes)
    if (accepted) void accepted.then(give)
    else give()
  }
}

/** How often a request has a header: Node puts the values of several into one text. */
function timesSent(c: Context, name: string): number {
  return incomingOf(c)?.headersDistinct[name]?.length ?? 0
}

/**
 * What whoever sends is told while nothing can become durable; of what is wrong only those who run
 * it hear more.
 */
const AWAY = 'the storage does not respond: try again later'
/** The same in the words of Iceberg's REST protocol. */
const catalogAway = (c: Context) =>
  c.json({ error: { message: AWAY, type: 'ServiceUnavailableException', code: 503 } }, 503)
const STARTING = 'the server is starting: try again in a second'

function secondsUntil(state: Health): number {
  if (state.up) return LATER
  return Math.max(SOON, Math.ceil((state.retryAt - Date.now()) / 1000))
}

/**
 * Rows that are not durable by then may still become so: whoever sends them again with their key
 * has them once.
 */
async function soon<T>(durable: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new MoraineError('storage', 'the storage takes too long to respond', {
      retryable: true,
    })
    timer = setTimeout(() => reject(error), DURABLE_WITHIN)
  })
  try {
    return await Promise.race([durable, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Listens; resolves when it does. */
export async function listen(options: ServerOptions): Promise<RunningServer> {
  const { host: hostname, receivers } = options
  const bounds = new Bounds(options.limits)
  const { fetch } = application(options, bounds)
  return new Promise((resolve, reject) => {
    const own = { fetch, port: options.port, hostname, serverOptions: bounds.ofServer }
    const server = serve(own, ({ port }) =>
      resolve({
        port,
        close: async () => {
          bounds.close()
          const closed = new Promise<void>((done) => server.close(() => done()))
          endOthers?.()
          await Promise.all(receivers.map(({ buffer }) => buffer?.drain()))
          if ('closeIdleConnections' in server) server.closeIdleConnections()
          const late = setTimeout(
            () => 'closeAllConnections' in server && server.closeAllConnections(),
            2000,
          )
          await closed
          clearTimeout(late)
        },
      }),
    )
    bounds.hold(server as Server)
    const endOthers = options.postgres && sharePort(server as Server, options.postgres)
    server.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new MoraineError(
          'usage',
          `Cannot listen on port ${options.port} of ${hostname}: ${cause.code}`,
          {
            cause,
            hint:
              cause.code === 'EADDRINUSE'
                ? 'Another program uses the port: choose another with --port.'
                : 'Choose another port or address with --port or --host.',
          },
        ),
      ),
    )
  })
}
