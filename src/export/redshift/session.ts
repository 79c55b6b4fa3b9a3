import { createHash, randomUUID } from 'node:crypto'
import type { Redshift } from '../../define/export/redshift.js'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { BRISK } from '../../storage/retry.js'
import { RetryingStorage } from '../../storage/retrying.js'
import { S3Storage } from '../../storage/s3/s3.js'
import { type Storage, stagingOf } from '../../storage/storage.js'
import type { TargetSession } from '../dialect.js'
import { type Connected, openClient, PostgresSession } from '../postgres/client.js'
import { carried, LONGEST, quote, text } from './types.js'

const SETTINGS = [
  "SET TimeZone TO 'UTC'",
  "SET DateStyle TO 'ISO, YMD'",
  'SET statement_timeout TO 0',
]

/** What fills the tables of a schema. */
export interface Filling {
  engine: Session
  /** The lake's: its engine finds what lies in `via` as well. */
  lake: Storage
  schema: string | undefined
}

export async function connectRedshift(
  connection: OpenConnection,
  target: Redshift,
  filling: Filling,
): Promise<TargetSession> {
  const connected = await openClient('Redshift', connection)
  for (const setting of SETTINGS) await connected.client.query(setting)
  return new RedshiftTarget(connected, target, filling)
}

class RedshiftTarget extends PostgresSession {
  private storage: Storage | undefined

  constructor(
    connected: Connected,
    private readonly target: Redshift,
    private readonly filling: Filling,
  ) {
    super(connected)
  }

  /** By way of S3: COPY reads what a manifest lists, and nothing that lies there besides. */
  async fillFrom(table: string, columns: readonly Field[], sql: string): Promise<bigint> {
    await this.refuseLong(columns, sql)
    const { storage, folder } = await this.shelf()
    const { engine } = this.filling
    const path = `${folder}/${randomUUID()}.parquet`
    const manifest = path.replace(/parquet$/, 'manifest')
    const file = { location: storage.locate(path), format: 'parquet', plain: true } as const
    try {
      await storage.prepare(path)
      await engine.exports.file(sql, columns, file)
      await storage.seal([path])
      const { size = 0 } = (await storage.stat(path)) ?? {}
      const entry = { url: file.location, mandatory: true, meta: { content_length: size } }
      await storage.write(manifest, Buffer.from(JSON.stringify({ entries: [entry] })))
      await this.copy(table, columns, storage.locate(manifest))
    } finally {
      await storage.remove(manifest).catch(() => {})
      await storage.remove(path).catch(() => {})
    }
    const { rows } = await engine.exports.figures(sql, [])
    return rows
  }

  private async copy(table: string, columns: readonly Field[], manifest: string): Promise<void> {
    for (const sql of copySql(table, columns, { manifest, role: this.target.role }))
      await this.ask(sql)
  }

  /** @throws MoraineError of kind `export` where a text is longer than any that it holds. */
  private async refuseLong(columns: readonly Field[], sql: string): Promise<void> {
    for (const { name, bytes } of await this.filling.engine.exports.longest(sql, columns))
      if (bytes > LONGEST)
        throw new MoraineError(
          'export',
          `column ${name} has a value of ${bytes} bytes, and Redshift holds ${LONGEST}`,
          {
            hint: 'Nothing was changed. Cut the column in the query of a gold dataset, and export that.',
          },
        )
  }

  /**
   * Where rows lie meanwhile: a folder of its own for each schema of each database, whose exports
   * wait for each other. What one left there that was ended goes first.
   */
  private async shelf(): Promise<{ storage: Storage; folder: string }> {
    const { schema = '', lake } = this.filling
    const of = createHash('sha256').update(`${this.place} ${schema}`).digest('hex')
    const folder = `redshift-${of.slice(0, 16)}`
    if (this.storage) return { storage: this.storage, folder }
    const bucket = new S3Storage(this.target.via ?? '', stagingOf(lake))
    const storage = new RetryingStorage(bucket, { total: BRISK })
    for (const { path } of await storage.list(`${folder}/`)) await storage.remove(path)
    this.storage = storage
    return { storage, folder }
  }
}

/** A table that COPY fills where its columns have other types than Parquet brings. */
const CARRIERS = 'moraine_copy'

/** The statements that load what a manifest lists into a table. */
export function copySql(
  table: string,
  columns: readonly Field[],
  { manifest, role }: { manifest: string; role: string },
): string[] {
  const iam = role === 'default' ? 'default' : text(role)
  const from = `FROM ${text(manifest)} IAM_ROLE ${iam} FORMAT AS PARQUET MANIFEST`
  const held = columns.map(({ name, type }) => ({ name: quote(name), ...carried(type) }))
  if (held.every(({ type, carrier }) => type === carrier)) return [`COPY ${table} ${from}`]
  const names = held.map(({ name }) => name).join(', ')
  return [
    `CREATE TEMPORARY TABLE ${quote(CARRIERS)} (${held.map(({ name, carrier }) => `${name} ${carrier}`).join(', ')})`,
    `COPY ${quote(CARRIERS)} ${from}`,
    `INSERT INTO ${table} (${names}) SELECT ${held.map(({ name, from: value }) => value(name)).join(', ')} FROM ${quote(CARRIERS)}`,
    `DROP TABLE ${quote(CARRIERS)}`,
  ]
}
