import type { RowValue } from '../../engine/engine.js'
import type { QueryAnswer } from '../../query/service/request.js'
import { plainRows } from './json-values.js'

/** Formats in which results are streamed, by the type that a client accepts. */
export const streamed: Readonly<Record<string, (answer: QueryAnswer) => AsyncGenerator<string>>> = {
  'text/csv': csv,
  'application/x-ndjson': jsonLines,
}

/**
 * An answer as a stream: rows are computed as fast as they are read, and no faster. Whoever goes
 * away ends the query.
 */
export function streamOf(
  answer: QueryAnswer,
  format: (answer: QueryAnswer) => AsyncGenerator<string>,
): ReadableStream<Uint8Array> {
  const parts = format(answer)
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next()
      if (done) {
        await answer.close()
        controller.close()
      } else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await parts.return(undefined)
      await answer.close()
    },
  })
}

/** RFC 4180: NULL is nothing, an empty text is `""`. */
async function* csv({ columns, rows }: QueryAnswer): AsyncGenerator<string> {
  yield `${columns.map(({ name }) => csvText(name)).join(',')}\r\n`
  for await (const batch of rows)
    yield plainRows(batch)
      .map((row) => `${row.map((value) => csvField(value as RowValue)).join(',')}\r\n`)
      .join('')
}

function csvField(value: RowValue): string {
  if (value === null) return ''
  if (value === '') return '""'
  return csvText(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

const csvText = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** Each row as an object on a line of its own. */
async function* jsonLines({ columns, rows }: QueryAnswer): AsyncGenerator<string> {
  const names = columns.map(({ name }) => name)
  for await (const batch of rows)
    yield plainRows(batch)
      .map(
        (row) => `${JSON.stringify(Object.fromEntries(names.map((name, i) => [name, row[i]])))}\n`,
      )
      .join('')
}
