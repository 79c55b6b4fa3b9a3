import { encodeColumns } from './arrow/columns.js'
import { batchMessage, endOfStream, schemaMessage } from './arrow/messages.js'
import { resultType } from './result-type.js'
import type { TypedRows } from './typed-rows.js'

/** An answer as a stream of Arrow's IPC format, with a record batch of some thousand rows each. */
export async function* arrow({ columns, rows }: TypedRows): AsyncGenerator<Uint8Array> {
  const fields = columns.map(({ name, type }) => ({ name, type: resultType(type) }))
  const types = fields.map(({ type }) => type)
  let begin: Uint8Array | undefined = schemaMessage(fields)
  for await (const batch of rows) {
    if (batch.length === 0) continue
    // What the first rows fail by is told before anything is sent.
    const message = batchMessage(batch.length, encodeColumns(types, batch))
    if (begin) yield begin
    begin = undefined
    yield message
  }
  if (begin) yield begin
  yield endOfStream()
}
