import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Ministack, startMinistack } from './ministack.js'

/** A request to a service of AWS, as a proxy saw it. */
export interface SeenCall {
  method: string
  /** With its query. */
  path: string
  headers: Readonly<Record<string, string>>
  /** Of what names its action in a header, as Glue, SQS and Secrets Manager do. */
  body: string
  /** Who asks: an access key. */
  key: string
  status: number
}

export interface EnforcingCloud extends Ministack {
  /** Requests since it was last asked. */
  take(): SeenCall[]
}

/**
 * A cloud that enforces roles and policies, behind a proxy that ends TLS: policies that refuse all
 * else hold, and every request is seen, whichever client made it.
 */
export async function startEnforcingCloud(): Promise<EnforcingCloud> {
  let seen: SeenCall[] = []
  let target = new URL('http://127.0.0.1')
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const server = createServer(async (asked, answer) => {
    const { method = '', url: path = '', headers } = asked
    const isNamed = headers['x-amz-target'] !== undefined
    const body = isNamed ? await textOf(asked) : ''
    const { hostname, port } = target
    const all = { ...headers, 'x-forwarded-proto': 'https' }
    const sent = request({ hostname, port, path, method, headers: all, agent }, (got) => {
      const status = got.statusCode ?? 500
      seen.push({ method, path, headers: flat(headers), body, key: keyIn(asked), status })
      answer.writeHead(status, got.headers)
      got.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    if (isNamed) sent.end(body)
    else asked.pipe(sent)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  // Functions are told of the proxy, too.
  const cloud = await startMinistack({ auth: true, env: { AWS_ENDPOINT_URL: url } })
  target = new URL(cloud.url)
  return {
    ...cloud,
    url,
    client: { ...cloud.client, endpoint: url },
    env: { ...cloud.env, AWS_ENDPOINT_URL: url },
    take: () => {
      const calls = seen
      seen = []
      return calls
    },
    stop: async () => {
      await cloud.stop()
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}

async function textOf(asked: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of asked) parts.push(part)
  return Buffer.concat(parts).toString()
}

const flat = (headers: IncomingMessage['headers']) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

const keyIn = ({ headers, url = '' }: IncomingMessage) =>
  /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ??
  /X-Amz-Credential=([^%/&]+)/.exec(url)?.[1] ??
  ''
