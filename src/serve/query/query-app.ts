import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { MoraineError, messageOf } from '../../errors.js'
import { HeldText } from '../../query/formats/held-text.js'
import { plainRows } from '../../query/formats/json-values.js'
import { streamed, streamOf } from '../../query/formats/streams.js'
import type { Caller, Execution, QueryAnswer } from '../../query/service/request.js'
import type { QueryService } from '../../query/service/service.js'
import { redact } from '../../secrets.js'
import { isForClients, OWN_FAILURE } from '../own-failure.js'
import type { Principals } from '../principals.js'
import { callerOf } from './caller.js'
import { newest, page } from './http/schemas.js'
import { clientTokenIn, namedIn, numbersIn, requestIn } from './sent-query.js'

type App = Hono<{ Variables: { caller: Caller } }>

export interface QueryAppOptions {
  principals: Principals
  /** Milliseconds in which a client takes something of a stream: a minute when not given. */
  patience?: number
  /** Hears of what went wrong inside; whoever asked is told only that something did. */
  onError?: (error: unknown) => void
}

/** Statuses of what is told of an error, by its kind. */
const statuses: Readonly<Record<string, 400 | 422 | 503>> = {
  usage: 400,
  query: 400,
  definition: 400,
  limit: 422,
  storage: 503,
}

/** The query service over HTTP, as a Hono application. */
export function queryApp(
  service: QueryService,
  { principals, patience, onError = () => {} }: QueryAppOptions,
): Hono {
  const app: App = new Hono()
  app.use(async (c, next) => {
    const caller = await callerOf(c, principals)
    if (!caller) {
      c.header('www-authenticate', 'Bearer realm="moraine"')
      return c.json({ error: { kind: 'access', message: 'The token is missing or wrong' } }, 401)
    }
    c.set('caller', caller)
    return next()
  })
  app.onError((error, c) => {
    const { kind = 'internal' } = error instanceof MoraineError ? error : {}
    const isBusy = kind === 'limit' && error instanceof MoraineError && error.retryable
    if (isBusy) c.header('retry-after', '2')
    const status = isBusy ? 429 : (statuses[kind] ?? 500)
    if (status >= 500) onError(error)
    if (!isForClients(error)) return c.json({ error: { kind, message: OWN_FAILURE } }, status)
    const { hint } = error
    const told = { kind, message: redact(messageOf(error)) }
    return c.json({ error: { ...told, ...(hint ? { hint: redact(hint) } : {}) } }, status)
  })
  app.notFound((c) => c.json({ error: { kind: 'usage', message: 'There is no such route' } }, 404))
  routeQueries(app, service, patience)
  routeExecutions(app, service, patience)
  routeNamed(app, service)
  return app as unknown as Hono
}

function routeQueries(app: App, service: QueryService, patience: number | undefined): void {
  app.get('/tables', async (c) =>
    answered({ tables: await service.tables(c.get('caller')) }, patience),
  )
  app.post('/describe', async (c) => {
    const request = await requestIn(c, c.get('caller'), service)
    return c.json(await service.describe({ ...request, signal: c.req.raw.signal }))
  })
  app.get('/history', (c) => {
    const most = Math.min(numbersIn(c, newest).most ?? 100, 10_000)
    return answered({ queries: service.history(c.get('caller')).slice(0, most) }, patience)
  })
  app.post('/query', async (c) => {
    const request = await requestIn(c, c.get('caller'), service)
    const { signal } = c.req.raw
    const accepted = c.req.header('accept') ?? ''
    const format = Object.hasOwn(streamed, accepted) ? streamed[accepted] : undefined
    if (format) {
      const answer = await service.query({ ...request, signal })
      const stream = await streamOf(answer, format, signal, patience).catch(async (error) => {
        await answer.close()
        throw error
      })
      return c.body(stream, 200, { 'content-type': accepted })
    }
    await using answer = await service.query({ ...request, signal })
    return (await wholeOf(answer)).response(JSON_TYPE, patience)
  })
}

const JSON_TYPE = 'application/json'

/** Answers with what may be long, which those who read slowly do not hold in memory. */
async function answered(value: unknown, patience: number | undefined): Promise<Response> {
  return (await HeldText.of(JSON.stringify(value))).response(JSON_TYPE, patience)
}

/**
 * An answer as one object of JSON.
 *
 * @throws MoraineError of kind `limit` for one that is too large for that.
 */
async function wholeOf({ id, columns, statistics, rows }: QueryAnswer): Promise<HeldText> {
  const text = new HeldText()
  try {
    await text.add(`${JSON.stringify({ id, columns }).slice(0, -1)},"rows":[`)
    let [values, characters] = [0, 0]
    for await (const batch of rows) {
      if (batch.length === 0) continue
      const part = JSON.stringify(plainRows(batch)).slice(1, -1)
      values += batch.length * columns.length
      characters += part.length
      if (values > MOST_VALUES) throw tooLarge(`${MOST_VALUES} values`)
      if (characters > MOST_CHARACTERS) throw tooLarge(`${MOST_CHARACTERS / 2 ** 20} MiB`)
      await text.add(characters > part.length ? `,${part}` : part)
    }
    await text.add(`],${JSON.stringify({ statistics }).slice(1)}`)
    return text
  } catch (error) {
    await text.close()
    throw error
  }
}

/** Values of a result that is answered as one object, and characters of its rows. */
const MOST_VALUES = 2_000_000
const MOST_CHARACTERS = 64 * 2 ** 20

function tooLarge(than: string): MoraineError {
  return new MoraineError('limit', `The result has more than ${than}`, {
    hint: 'Stream it (Accept: text/csv or application/vnd.apache.arrow.stream), or start the query (POST /v1/queries) and read pages.',
  })
}

function routeExecutions(app: App, service: QueryService, patience: number | undefined): void {
  app.post('/queries', async (c) => {
    const token = clientTokenIn(c)
    const request = await requestIn(c, c.get('caller'), service)
    const execution = service.start(request, token)
    return c.json(shown(execution), 202)
  })
  app.get('/queries', (c) => {
    const all = service.allExecutions(c.get('caller'))
    const asked = numbersIn(c, page)
    const [from, most] = [asked.from ?? 0, Math.min(asked.most ?? 50, 1000)]
    // Statements may be long: the page ends before they are too many characters together.
    let left = MOST_CHARACTERS / 4
    const queries = all.slice(from, from + most).filter(({ sql }, i) => {
      left -= sql.length
      return i === 0 || left > 0
    })
    const next = from + queries.length
    const shownNext = next < all.length ? next : null
    return answered({ queries: queries.map(shown), next: shownNext }, patience)
  })
  app.get('/queries/:id', (c) => c.json(shown(service.execution(idOf(c), c.get('caller')))))
  app.get('/queries/:id/results', async (c) => {
    const asked = numbersIn(c, page)
    const [from, most] = [asked.from ?? 0, Math.min(asked.most ?? 1000, 10_000)]
    const id = idOf(c)
    return service.withResults(id, c.get('caller'), { from, most }, ({ columns, rows, next }) =>
      answered({ columns, rows: plainRows(rows), next: next ?? null }, patience),
    )
  })
  app.get('/queries/:id/events', (c) => {
    const [id, caller] = [idOf(c), c.get('caller')]
    const now = shown(service.execution(id, caller))
    return streamSSE(c, async (stream) => {
      await stream.writeSSE({ event: now.state, data: JSON.stringify(now) })
      if (now.ended) return
      const done = shown(await service.finished(id, caller))
      await stream.writeSSE({ event: done.state, data: JSON.stringify(done) })
    })
  })
  app.delete('/queries/:id', (c) => c.json(shown(service.stop(idOf(c), c.get('caller')))))
}

/** Queries that have names; one is proved before it is given its name. */
function routeNamed(app: App, service: QueryService): void {
  const { named } = service
  const nameIn = (c: Context) => c.req.param('name') ?? ''
  app.get('/named', (c) => c.json({ queries: named.list(c.get('caller')) }))
  app.get('/named/:name', (c) => c.json(named.get(c.get('caller'), nameIn(c))))
  app.put('/named/:name', async (c) => {
    const [caller, name] = [c.get('caller'), nameIn(c)]
    const query = await namedIn(c)
    const { signal } = c.req.raw
    const described = await service.describe({ ...query, principal: caller, signal })
    return c.json({ ...(await named.put(caller, { ...query, name })), ...described })
  })
  app.delete('/named/:name', async (c) => c.json(await named.delete(c.get('caller'), nameIn(c))))
}

const idOf = (c: Context): string => c.req.param('id') ?? ''

/** An execution as clients are told of it. */
function shown({ principal: _, ...execution }: Execution) {
  return execution
}
