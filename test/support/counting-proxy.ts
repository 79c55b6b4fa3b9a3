import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type RequestKind = 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'LIST' | 'POST'

/** Hands requests on to a server of S3, and counts them by what is paid for each. */
export class CountingProxy {
  private counted: Partial<Record<RequestKind, number>> = {}

  private constructor(readonly url: string) {}

  static async start(target: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(target)
    const agent = new Agent({ keepAlive: true })
    let proxy: CountingProxy | undefined
    const server = createServer((asked, answer) => {
      const { method = '', url: path = '', headers } = asked
      const isList = method === 'GET' && /[?&](list-type|prefix|delimiter)=/.test(path)
      proxy?.count(isList ? 'LIST' : (method as RequestKind))
      const sent = request({ hostname, port, path, method, headers, agent }, (got) => {
        answer.writeHead(got.statusCode ?? 500, got.headers)
        got.pipe(answer)
      })
      sent.on('error', () => answer.destroy())
      asked.pipe(sent)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    })
    proxy = new CountingProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    return proxy
  }

  private count(kind: RequestKind): void {
    this.counted[kind] = (this.counted[kind] ?? 0) + 1
  }

  /** What was counted since it was last asked. */
  take(): Readonly<Record<RequestKind, number>> {
    const none = { GET: 0, HEAD: 0, PUT: 0, DELETE: 0, LIST: 0, POST: 0 }
    const found = { ...none, ...this.counted }
    this.counted = {}
    return found
  }
}
