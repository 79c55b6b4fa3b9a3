import type { RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { QueryAnswer } from '../service/request.js'
import { arrow } from './arrow.js'
import { BrokenOff } from './broken-off.js'
import { plainRows } from './json-values.js'
import { parquet } from './parquet.js'

/** Formats in which results are streamed, by the type that a client accepts. */
export const streamed: Readonly<Record<string, Format>> = {
  'text/csv': csv,
  'application/x-ndjson': jsonLines,
  'application/vnd.apache.arrow.stream': arrow,
  'application/vnd.apache.parquet': parquet,
}

type Format = (answer: QueryAnswer, signal?: AbortSignal) => AsyncGenerator<string | Uint8Array>

/** Milliseconds in which whoever reads takes something. */
const SLOW = 60_000

/**
 * An answer as a stream: rows are computed as fast as they are read, and no faster. Whoever goes
 * away ends the query, and so does whoever takes nothing for too long: others wait for its place.
 *
 * @param patience milliseconds.
 * @throws what is wrong before there is anything to send.
 */
export async function streamOf(
  answer: QueryAnswer,
  format: Format,
  signal?: AbortSignal,
  patience = SLOW,
): Promise<ReadableStream<Uint8Array>> {
  const parts = format(answer, signal)
  const first = await parts.next()
  const all = (async function* () {
    if (first.done) return
    yield first.value
    yield* parts
  })()
  return patientStream(
    all,
    async () => {
      await parts.return(undefined)
      await answer.close()
    },
    patience,
  )
}

/**
 * Parts as a stream, each once the one before was taken. Whoever takes nothing for too long loses
 * it.
 *
 * @param end is called once, when all parts were taken or nobody wants more of them.
 * @param patience milliseconds.
 */
export function patientStream(
  parts: AsyncGenerator<string | Uint8Array>,
  end: () => Promise<void>,
  patience = SLOW,
): ReadableStream<Uint8Array> {
  let late: NodeJS.Timeout | undefined
  const over = async () => {
    clearTimeout(late)
    await end()
  }
  return new ReadableStream({
    async pull(controller) {
      clearTimeout(late)
      const { done, value } = await parts.next().catch(async (error) => {
        await over()
        throw new BrokenOff(
          'it could not be computed to its end; the history of queries says why',
          error,
        )
      })
      if (done) {
        await over()
        controller.close()
        return
      }
      controller.enqueue(typeof value === 'string' ? Buffer.from(value) : value)
      late = setTimeout(() => {
        const slow = new MoraineError('query', 'The client does not read the answer')
        controller.error(new BrokenOff('its client did not read it', slow))
        over().catch(() => {})
      }, patience).unref()
    },
    cancel: over,
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
