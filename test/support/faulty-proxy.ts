import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What becomes of a request: it is passed on, refused, passed on without an answer, or left alone;
 * or its answer comes with one bit flipped, or with an ETag of another kind.
 */
export type Fate = 'pass' | 503 | 409 | 404 | 'lose' | 'hang' | 'flip' | 'etag'

export interface FaultyProxy {
  url: string
  close(): void
}

const codes = { 503: 'SlowDown', 409: 'ConditionalRequestConflict', 404: 'NoSuchKey' } as const

const OTHER_ETAG = `"${'0123456789abcdef'.repeat(2)}"`

/** Bytes with one bit of another value, in their middle. */
function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = copy.length >> 1
  copy[at] = (copy[at] ?? 0) ^ 16
  return copy
}

/** Stands before an S3 server, and may do something else than to pass a request on. */
export async function faultyProxy(
  server: string,
  meddle: (request: IncomingMessage) => Fate,
): Promise<FaultyProxy> {
  const pass = (from: IncomingMessage, to: ServerResponse, fate: Fate) => {
    const { method, url, headers } = from
    // The signature is over the host, so the server must be told the one that was asked.
    const on = request(`${server}${url}`, { method, headers }, (answer) => {
      answer.on('error', () => to.destroy())
      if (fate === 'lose') {
        answer.resume()
        answer.on('end', () => to.destroy())
      } else {
        const headers = fate === 'etag' ? { ...answer.headers, etag: OTHER_ETAG } : answer.headers
        to.writeHead(answer.statusCode ?? 0, headers)
        answer.on('data', (chunk: Buffer) => to.write(fate === 'flip' ? flipped(chunk) : chunk))
        answer.on('end', () => to.end())
      }
    })
    on.on('error', () => to.destroy())
    from.pipe(on)
  }
  const before = createServer((from, to) => {
    const what = meddle(from)
    if (what === 'hang') return
    if (typeof what === 'number') {
      from.resume()
      const code = codes[what]
      to.writeHead(what, { 'content-type': 'application/xml' })
      to.end(`<Error><Code>${code}</Code><Message>later</Message></Error>`)
    } else pass(from, to, what)
  })
  await new Promise<void>((done) => before.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(before.address() as AddressInfo).port}`,
    close: () => {
      before.closeAllConnections()
      before.close()
    },
  }
}
