import { connect, createServer, type Socket } from 'node:net'

/** Stands before a server, and cuts connections after so many bytes of their clients. */
export async function startProxy(url: string) {
  const { hostname, port } = new URL(url)
  const open = new Set<Socket>()
  let limit = Infinity
  const server = createServer((client) => {
    const behind = connect(Number(port), hostname)
    let passed = 0
    for (const socket of [client, behind]) {
      open.add(socket)
      socket.on('error', () => {})
    }
    client.on('close', () => behind.destroy())
    behind.on('close', () => client.destroy())
    client.on('data', (bytes: Buffer) => {
      passed += bytes.length
      if (passed > limit) client.destroy()
    })
    client.pipe(behind).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = new URL(url)
  own.port = String((server.address() as { port: number }).port)
  return {
    url: own.href,
    cutAfter: (bytes: number) => {
      limit = bytes
    },
    stop: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
