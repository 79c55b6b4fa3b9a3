import { Readable } from 'node:stream'
import type { Connection as Client } from 'mysql2'
import { MoraineError } from '../../../errors.js'

/** Bytes that are collected before they are handed on. */
const CHUNK = 1 << 18

/**
 * The records of a query, each with its line end, in larger pieces; the server waits while nobody
 * reads.
 */
export function recordsOf(client: Client, sql: string): Readable {
  const end = Buffer.from('\n')
  let parts: Buffer[] = []
  let size = 0
  const text = new Readable({ read: () => client.resume(), highWaterMark: 4 * CHUNK })
  const flush = () => {
    const more = size === 0 || text.push(Buffer.concat(parts, size))
    parts = []
    size = 0
    return more
  }
  const fail = (error?: Error) => {
    settled()
    text.destroy(error ?? new Error('connection lost'))
  }
  // The driver does not tell a query that its connection is gone.
  const settled = () => client.off('error', fail).off('end', fail)
  client.once('error', fail).once('end', fail)
  const query = client.query({ sql, rowsAsArray: true, typeCast: false })
  query.on('result', (row: unknown) => {
    const [record] = row as [Buffer | null]
    if (!record) return fail(tooLarge())
    parts.push(record, end)
    size += record.length + 1
    if (size >= CHUNK && !flush()) client.pause()
  })
  query.on('error', fail)
  query.on('end', () => {
    settled()
    flush()
    text.push(null)
  })
  return text
}

function tooLarge(): MoraineError {
  return new MoraineError('source', 'A row is larger than the maximum packet size of the server', {
    hint: "Raise the server's max_allowed_packet, or exclude the largest columns with columns: […].",
  })
}
