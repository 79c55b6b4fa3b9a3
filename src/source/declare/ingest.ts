import { number, secretText, texts } from '../../define/options/expected.js'
import { checked, type OptionList } from '../../define/options/options.js'
import type { IngestSource, Secret } from '../../define/source.js'

export interface IngestOptions<C extends string> {
  /**
   * The token that senders need: `Authorization: Bearer …`. Without one, only programs on this
   * machine can send.
   */
  token?: Secret
  /** Columns that exist even if no row has them. */
  columns?: readonly C[]
  /** Maximum size of a request in bytes. Default: 5 MiB. */
  maxBytes?: number
}

const ingestOptions: OptionList<IngestOptions<string>> = {
  token: secretText,
  columns: texts,
  maxBytes: number,
}

/**
 * Rows that apps and devices send to `POST /ingest/<dataset>` of `moraine serve`, as JSON or JSON
 * lines. They are durable once the request is acknowledged, and each request is ingested once,
 * however often it is sent with the same `Idempotency-Key`.
 *
 * @example
 * bronze('events', { from: ingest({ token: secret('env:EVENTS_TOKEN') }) })
 */
export function ingest<const C extends string = string>(
  options: IngestOptions<C> = {},
): IngestSource<C> {
  const {
    token,
    columns,
    maxBytes = 5 * 2 ** 20,
  } = checked<IngestOptions<C>>('ingest(…)', options, ingestOptions)
  return { kind: 'ingest', token, columns, maxBytes }
}
