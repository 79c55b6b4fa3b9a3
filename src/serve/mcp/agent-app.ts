import { Hono } from 'hono'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { redact } from '../../secrets.js'
import type { Principals } from '../principals.js'
import { callerOf } from '../query/caller.js'
import { agentServer } from './agent-server.js'
import type { AgentOptions } from './tools.js'

/** Bytes of a request. */
const LONGEST = 2 ** 20

/**
 * The Model Context Protocol over HTTP, as a Hono application: each request is answered by itself,
 * for whoever its token belongs to.
 */
export function agentApp(options: AgentOptions & { principals: Principals }): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    // Where the SDK is not installed, an agent's person can do something about it.
    const isUsage = error instanceof MoraineError && error.kind === 'usage'
    if (!isUsage) options.onError?.(error)
    const told = isUsage ? `${error.message}. ${error.hint ?? ''}` : 'the server failed to answer'
    return c.json({ error: redact(told) }, isUsage ? 501 : 500)
  })
  app.all('/', async (c) => {
    const caller = await callerOf(c, options.principals)
    if (!caller) {
      c.header('www-authenticate', 'Bearer realm="moraine"')
      return c.json({ error: 'the token is missing or wrong' }, 401)
    }
    // There is no session, so that there is nothing to listen to or to end.
    if (c.req.method !== 'POST') return c.json({ error: 'only POST is answered' }, 405)
    const { WebStandardStreamableHTTPServerTransport: Transport } = await importPeer(
      '@modelcontextprotocol/sdk',
    )
    const workgroup = c.req.header('moraine-workgroup')
    const server = await agentServer({ ...options, workgroup }, caller)
    const transport = new Transport({ enableJsonResponse: true, maxRequestBodySize: LONGEST })
    c.req.raw.signal.addEventListener('abort', () => void server.close())
    await server.connect(transport)
    return transport.handleRequest(c.req.raw)
  })
  return app
}
