import { connectionOptions } from '../options/connection-options.js'
import { text } from '../options/expected.js'
import { checked, type OptionList } from '../options/options.js'
import type { Connection } from '../source.js'

export interface RedshiftOptions extends Omit<Connection, 'concurrency'> {
  /**
   * Where rows are put for COPY to take them from: `s3://bucket/prefix` in the warehouse's region.
   * They are removed after each load. Not needed with `catalog`.
   */
  via?: string
  /** The role that the warehouse reads `via` and Glue with: its ARN, or `default`. */
  role?: string
  /**
   * A database of Glue's catalog: nothing is loaded, and `schema` reads the lake's tables where
   * they lie, by `CREATE EXTERNAL SCHEMA`.
   */
  catalog?: string
}

/** A database of Amazon Redshift, provisioned or serverless. */
export interface Redshift {
  readonly kind: 'redshift'
  readonly connection: Connection
  readonly via: string | undefined
  readonly role: string
  readonly catalog: string | undefined
}

const redshiftOptions: OptionList<RedshiftOptions> = {
  ...connectionOptions,
  via: text,
  role: text,
  catalog: text,
}

/**
 * Amazon Redshift, as a target of `warehouse(…)`; needs the package `pg`. Rows go to S3 as Parquet
 * and are loaded by COPY with a manifest; or, with `catalog`, stay in the lake and are read there.
 *
 * @example
 * const to = redshift({ url: secret('env:REDSHIFT_URL'), via: 's3://shop-lake/exports' })
 * warehouse(to, { schema: 'reports', tables: [{ dataset: orders, sortKey: ['day'] }] })
 */
export function redshift(options: RedshiftOptions): Redshift {
  const good = checked<RedshiftOptions>(
    'redshift(…)',
    options,
    redshiftOptions,
    () => "Write redshift({ url: secret('env:REDSHIFT_URL'), via: 's3://bucket/prefix' })",
  )
  const { via, role = 'default', catalog, ...connection } = good
  return { kind: 'redshift', connection, via, role, catalog }
}
