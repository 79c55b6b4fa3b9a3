import { connect, type Socket } from 'node:net'
import { MoraineError } from '../../../errors.js'

/** The first byte of packets that come before encryption, and of records of TLS. */
const PRELOGIN = 0x12
const TLS = [0x14, 0x15, 0x16, 0x17]

/**
 * A connection to SQL Server that sends nothing in the clear but the offer to encrypt. The client
 * goes on without encryption when a server says that it has none; the password would be next.
 */
export async function encryptedOnly(to: { host: string; port: number }): Promise<Socket> {
  const socket = connect({ host: to.host, port: to.port })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  let encrypted = false
  socket.write = ((...args: unknown[]) => {
    const [first] = args[0] as Buffer
    if (encrypted || first === PRELOGIN) return write(...args)
    encrypted = TLS.includes(first ?? 0)
    if (encrypted) return write(...args)
    socket.destroy(
      new MoraineError('source', 'The SQL Server does not support secure connections', {
        hint: 'Nothing was sent to it. Install a certificate there, or set tls: false if the network is trusted.',
      }),
    )
    return false
  }) as Socket['write']
  return socket
}
