import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What becomes of a request: it is passed on, refused, passed on without an answer, or left alone;
 * or its answer comes with one bit flipped, or with an ETag of another kind; or the connection ends
 * before it is passed on, or it is passed on only after so many milliseconds.
 */
export type Fate =
  | 'pass'
  | 503
  | 403
  | 409
  | 404
  | 'lose'
  | 'hang'
  | 'flip'
  | 'etag'
  | 'cut'
  | { after: number }

export interface FaultyProxy {
  url: string
  close(): void
}

const codes = {
  403: 'AccessDenied',
  503: 'SlowDown',
  409: 'ConditionalRequestConflict',
  404: 'NoSuchKey',
} as const

const OTHER_ETAG = `"${'0123456789abcdef'.repeat(2)}"`

/** Bytes with one bit of another value, in their middle. */
function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = copy.length >> 1
  copy[at] = (copy[at] ?? 0) ^ 16
  return copy
}

interface Handling {
  /** Where a request goes that is passed on, if not to the same address of the server. */
  urlOf?: (request: IncomingMessage) => string
  /** Hears of requests of which nobody knows what became of them. */
  onLost?: (request: IncomingMessage) => void
}

/** Stands before an S3 or another server, and may do something else than to pass a request on. */
export async function faultyProxy(
  server: string,
  meddle: (request: IncomingMessage) => Fate,
  { urlOf = ({ url }) => `${server}${url}`, onLost = () => {} }: Handling = {},
): Promise<FaultyProxy> {
  const pass = (from: IncomingMessage, to: ServerResponse, fate: Fate) => {
    const { method, headers } = from
    const lose = () => {
      onLost(from)
      to.destroy()
    }
    // The signature is over the host, so the server must be told the one that was asked.
    const on = request(urlOf(from), { method, headers }, (answer) => {
      answer.on('error', lose)
      if (fate === 'lose') {
        answer.resume()
        answer.on('end', lose)
      } else {
        if ((answer.statusCode ?? 500) >= 500) onLost(from)
        const headers = fate === 'etag' ? { ...answer.headers, etag: OTHER_ETAG } : answer.headers
        to.writeHead(answer.statusCode ?? 0, headers)
        answer.on('data', (chunk: Buffer) => to.write(fate === 'flip' ? flipped(chunk) : chunk))
        answer.on('end', () => to.end())
      }
    })
    on.on('error', lose)
    from.pipe(on)
  }
  const before = createServer((from, to) => {
    const what = meddle(from)
    if (what === 'hang') return
    if (what === 'cut') {
      onLost(from)
      to.destroy()
    } else if (typeof what === 'number') {
      onLost(from)
      from.resume()
      const code = codes[what]
      to.writeHead(what, { 'content-type': 'application/xml' })
      to.end(`<Error><Code>${code}</Code><Message>later</Message></Error>`)
    } else if (typeof what === 'object') setTimeout(() => pass(from, to, 'pass'), what.after)
    else pass(from, to, what)
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
