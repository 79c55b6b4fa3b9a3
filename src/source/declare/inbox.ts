import { callSite } from '../../define/call-site.js'
import { millisecondsOf } from '../../define/interval.js'
import { interval, secretText, source, text } from '../../define/options/expected.js'
import { checked, type OptionList } from '../../define/options/options.js'
import type { DatabaseSource, FilesSource, InboxSource, Secret } from '../../define/source.js'
import { type FilesOptions, filesOptions, filesSource } from './files.js'
import { refuseMeaningless } from './format-options.js'

export interface InboxOptions<C extends string> extends FilesOptions<C> {
  /**
   * A folder, or a prefix of a bucket such as `s3://drop/orders`. Default:
   * `bronze/landing/<dataset>` of the lake.
   */
  path?: string
  /** How long a file must be unchanged before it is ingested: `200ms` (the default), `2s`, `1m`. */
  settle?: string
  /** The token for notifications to `POST /events/<dataset>` of `moraine serve`. */
  token?: Secret
  /**
   * The URL of an SQS queue that the bucket notifies; `moraine serve` listens to it. Needs
   * `@aws-sdk/client-sqs`.
   */
  queue?: string | undefined
  /**
   * A database table whose rows are written into the inbox as files, whenever the dataset's
   * schedule is due.
   */
  feed?: DatabaseSource<C>
}

const inboxOptions: OptionList<InboxOptions<string>> = {
  ...filesOptions,
  path: text,
  settle: interval,
  token: secretText,
  queue: text,
  feed: {
    is: "rows of a database, such as postgres(…).table('orders')",
    fits: (value) => source.fits(value) && (value as DatabaseSource).kind === 'database',
    ...(source.advise ? { advise: source.advise } : {}),
  },
}

/** How files are read whose ending says so, where the definition does not. */
const endings = [
  'json',
  'jsonl',
  'ndjson',
  'xml',
  'tsv',
  'parquet',
  'avro',
  'xlsx',
  'xlsm',
  'xls',
  'xlsb',
]

/**
 * Files that arrive in a folder or a bucket. Each is ingested once and then removed; one that is
 * still being written waits until it is complete, and one that cannot be read at all becomes a
 * discarded row. Files are read as with `files()`; by default, the extension of each name decides.
 *
 * @example
 * bronze('orders', { from: inbox({ format: 'jsonl' }), archive: true })
 */
export function inbox<const C extends string = string>(
  options: InboxOptions<C> = {},
): InboxSource<C> {
  const good = checked<InboxOptions<C>>('inbox(…)', options, inboxOptions)
  const { path, settle = '200ms', token, queue, feed, ...reading } = good
  const isDeclared =
    reading.format !== undefined || reading.delimiter !== undefined || reading.widths
  const { format = reading.widths ? 'fixed' : reading.delimiter && 'delimited' } = reading
  if (format) refuseMeaningless('inbox(…)', reading, format)
  const reader = (ending: string): FilesSource<C> => ({
    ...filesSource([`x${ending && '.'}${ending}`], reading),
    paths: [],
  })
  const own = isDeclared ? [] : endings.map((ending) => [ending, reader(ending)] as const)
  const fed = feed ? [['jsonl', { ...filesSource<C>(['x.jsonl'], {}), paths: [] }] as const] : []
  return {
    kind: 'inbox',
    path,
    base: (callSite()?.file ?? `${process.cwd()}/`).replace(/[^/\\]*$/, ''),
    readers: Object.fromEntries([['', reader('')], ...own, ...fed]),
    columns: reading.columns,
    settle: millisecondsOf(settle),
    token,
    queue,
    feed,
  }
}
