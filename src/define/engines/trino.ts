import { flag, secretText, text } from '../options/expected.js'
import { checked, type Expected, type OptionList } from '../options/options.js'
import type { Secret } from '../source.js'

/** A Trino, which computes gold. */
export interface TrinoEngine extends Readonly<TrinoOptions> {
  readonly kind: 'engine'
  readonly engine: 'trino'
  readonly catalog: string
}

export interface TrinoOptions {
  /** The address of its coordinator: `https://trino.example.com`. */
  url: string
  /**
   * Its catalog for the lake, by which it reads tables and writes those of a run, with
   * `iceberg.rest-catalog.session=USER`. Default: `lake`.
   */
  catalog?: string
  /** Who asks. Default: `moraine`. */
  user?: string
  /** Their password: `secret('env:TRINO_PASSWORD')`. It is only sent by https. */
  password?: Secret
  /**
   * The name of the principal of `lake.ts` for which runs act in the catalog. Default: the one that
   * has the `MORAINE_TOKEN` of `moraine serve --catalog`.
   */
  as?: string
  /**
   * Allows an address without encryption that is not this machine's: a listener has the
   * token of a step, which reads the lake for an hour. A password is not sent in any case.
   */
  allowUnencrypted?: boolean
}

const address: Expected = {
  is: "an address such as 'https://trino.example.com'",
  fits: (value) => typeof value === 'string' && /^https?:\/\/[^/\s]+\/?$/.test(value),
}

const catalogName: Expected = {
  is: 'the name of a catalog of Trino: small letters, digits and _',
  fits: (value) => typeof value === 'string' && /^[a-z_][a-z0-9_]*$/.test(value),
}

const options: OptionList<TrinoOptions> = {
  url: { ...address, needed: true },
  catalog: catalogName,
  user: text,
  password: secretText,
  as: text,
  allowUnencrypted: flag,
}

/**
 * Gold is computed by Trino, which reads the lake's tables through the catalog that `moraine serve
 * --catalog` serves, and writes its own there. Its SQL is written from that of the dataset, with
 * the very rows that DuckDB would give; what is not known to give them is refused before a run.
 * Silver has no SQL of its own, and stays with the run.
 *
 * @example gold('daily', { query, engine: trino({ url: 'http://localhost:8080', catalog: 'lake' })
 *   })
 */
export function trino(given: TrinoOptions): TrinoEngine {
  const good = checked<TrinoOptions>('trino({ … })', given, options)
  return {
    kind: 'engine',
    engine: 'trino',
    catalog: 'lake',
    ...good,
    url: (good.url ?? '').replace(/\/$/, ''),
  }
}

/** `trino(lake)`. */
export const trinoName = ({ catalog }: TrinoEngine): string => `trino(${catalog})`
