import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type Handler = (request: IncomingMessage, url: URL, response: ServerResponse) => unknown

/**
 * A server that answers what a handler returns as JSON, and remembers what was asked; it ends with
 * the test.
 */
export async function api(handler: Handler) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    asked.push(request.url ?? '')
    const url = new URL(request.url ?? '', `http://${request.headers.host}`)
    const value = await handler(request, url, response)
    if (value === undefined || response.writableEnded) return
    if (!response.headersSent && !response.hasHeader('content-type'))
      response.setHeader('content-type', 'application/json')
    response.end(typeof value === 'string' ? value : JSON.stringify(value))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, asked }
}

/** The body of a request, read as JSON. */
export async function jsonOf(request: IncomingMessage): Promise<any> {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text)
}
