import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { Bronze } from '../define/dataset.js'
import type { IngestSource, Secret } from '../define/source.js'
import { MoraineError, messageOf } from '../errors.js'
import type { SentRequest } from '../run/sent-requests.js'
import type { Storage } from '../storage/storage.js'
import { namesUs, shows } from './access.js'
import { BadBody, readBody, rowsIn } from './body.js'
import { Inbox, KeyConflict } from './inbox.js'

/** A dataset that takes what is sent. */
export interface Receiver {
  dataset: Bronze
  source: IngestSource
  inbox: Inbox
}

export interface ServerOptions {
  port: number
  host: string
  /** Names under which the server is reached, beside this machine's own. */
  names: readonly string[]
  receivers: readonly Receiver[]
  /** Buckets and others that say when something has arrived. */
  listeners?: readonly Listener[]
  /** What Prometheus reads, and what it must show for that. */
  metrics?: { text: () => string; token: Secret | undefined }
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

/** An inbox that knows what has landed. */
export async function openInbox(
  storage: Storage,
  dataset: Bronze,
  known: ReadonlyMap<string, SentRequest>,
): Promise<Inbox> {
  const inbox = new Inbox(storage, dataset.name, known)
  await inbox.load()
  return inbox
}

/** The application, as requests see it. */
export function application({
  names,
  receivers,
  listeners = [],
  metrics,
}: Omit<ServerOptions, 'port' | 'host'>): Hono {
  const app = new Hono()
  app.use(async (c, next) => {
    if (!namesUs(c.req.header('host'), names))
      return c.json({ error: 'this server is not called so' }, 421)
    // Programs send no origin; pages of other sites do.
    const origin = c.req.header('origin')
    if (origin !== undefined && !(URL.canParse(origin) && namesUs(new URL(origin).host, names)))
      return c.json({ error: 'requests of pages of other sites are refused' }, 403)
    return next()
  })
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.post('/ingest/:dataset', async (c) => {
    const receiver = receivers.find(({ dataset }) => dataset.name === c.req.param('dataset'))
    if (
      receiver?.source.token !== undefined &&
      !(await shows(c.req.header('authorization'), receiver.source.token))
    )
      return c.json({ error: 'the token is missing or wrong' }, 401)
    if (!receiver) return c.json({ error: 'there is no such dataset that takes rows' }, 404)
    return receive(c, receiver)
  })
  // What is said to have arrived is looked for: the message itself is not believed.
  app.post('/events/:dataset', async (c) => {
    const listener = listeners.find(({ dataset }) => dataset === c.req.param('dataset'))
    if (
      listener?.token !== undefined &&
      !(await shows(c.req.header('authorization'), listener.token))
    )
      return c.json({ error: 'the token is missing or wrong' }, 401)
    if (!listener) return c.json({ error: 'there is no such dataset that has an inbox' }, 404)
    await c.req.raw.body?.cancel()
    listener.notify()
    return c.json({ accepted: true }, 202)
  })
  if (metrics)
    app.get('/metrics', async (c) => {
      const { token, text } = metrics
      if (token !== undefined && !(await shows(c.req.header('authorization'), token)))
        return c.json({ error: 'the token is missing or wrong' }, 401)
      return c.body(text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    })
  app.notFound((c) => c.json({ error: 'there is nothing here' }, 404))
  app.onError((error, c) => c.json({ error: messageOf(error) }, 500))
  return app
}

async function receive(c: Context, { source, inbox }: Receiver): Promise<Response> {
  const key = c.req.header('idempotency-key')
  if (key !== undefined && (key === '' || key.length > LONGEST_KEY))
    return c.json({ error: `an Idempotency-Key has 1 to ${LONGEST_KEY} characters` }, 400)
  const announced = Number(c.req.header('content-length') ?? 0)
  const busy = () => {
    c.header('retry-after', '1')
    return c.json({ error: 'too much is waiting: send it again in a moment' }, 503)
  }
  if (announced > source.maxBytes)
    return c.json({ error: `a request may have up to ${source.maxBytes} bytes` }, 413)
  if (!inbox.hasRoom(announced)) return busy()
  try {
    const rows = rowsIn(await readBody(c.req.raw.body, source.maxBytes))
    if (!inbox.hasRoom(announced)) return busy()
    return c.json(await inbox.accept(rows, key), 200)
  } catch (error) {
    if (error instanceof KeyConflict)
      return c.json({ error: `the Idempotency-Key ${key} was used for another body` }, 409)
    if (error instanceof BadBody) return c.json({ error: error.message }, error.status)
    const passing = error instanceof MoraineError && error.retryable
    return c.json({ error: messageOf(error) }, passing ? 503 : 500)
  }
}

/** Listens; resolves when it does. */
export async function listen(options: ServerOptions): Promise<RunningServer> {
  const { host: hostname, receivers } = options
  const app = application(options)
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port: options.port, hostname }, ({ port }) =>
      resolve({
        port,
        close: async () => {
          const closed = new Promise<void>((done) => server.close(() => done()))
          await Promise.all(receivers.map(({ inbox }) => inbox.drain()))
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
    server.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new MoraineError(
          'usage',
          `Port ${options.port} of ${hostname} can't be used: ${cause.code}`,
          {
            cause,
            hint:
              cause.code === 'EADDRINUSE'
                ? 'Another program uses it: choose another with --port.'
                : 'Choose another with --port or --host.',
          },
        ),
      ),
    )
  })
}
