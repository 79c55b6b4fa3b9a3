import type { Server, Socket } from 'node:net'

/** Milliseconds in which a client says something, and how many may not have done so yet. */
const FIRST_WORD = 15_000
const MOST_SILENT = 2000

/** What takes the connections of a protocol. */
export interface Protocol {
  accept(socket: Socket): void
  /** Ends all of its connections. */
  close(): void
}

/**
 * Has PostgreSQL's protocol answered on the port of an HTTP server: its packets begin with a length
 * of less than 16 MB, so with a zero byte, and requests with a letter.
 *
 * @returns what ends all connections but those of HTTP.
 */
export function sharePort(server: Server, postgres: Protocol): () => void {
  const silent = new Set<Socket>()
  const http = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const late = setTimeout(() => socket.destroy(), FIRST_WORD)
    const [oldest] = silent
    if (silent.size >= MOST_SILENT) oldest?.destroy()
    silent.add(socket)
    const ignore = () => socket.destroy()
    socket.once('error', ignore)
    socket.once('close', () => {
      clearTimeout(late)
      silent.delete(socket)
    })
    socket.once('readable', () => {
      clearTimeout(late)
      silent.delete(socket)
      const first = socket.read(1) as Buffer | null
      socket.off('error', ignore)
      if (first) socket.unshift(first)
      else return void socket.destroy()
      if (first[0] === 0) postgres.accept(socket)
      else for (const take of http) take.call(server, socket)
    })
  })
  return () => {
    for (const socket of silent) socket.destroy()
    postgres.close()
  }
}
