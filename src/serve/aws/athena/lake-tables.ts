import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Partition, TransformName } from '../../../define/partition.js'
import type { Session } from '../../../engine/engine.js'
import { openEngine } from '../../../engine/open.js'
import { MoraineError } from '../../../errors.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import { currentSpec } from '../../../iceberg/spec/metadata.js'
import { Table } from '../../../iceberg/table.js'
import { externalOf } from '../../../log/external.js'
import type { Caller, QueryAnswer } from '../../../query/service/request.js'
import { scratchFolder } from '../../../storage/scratch.js'
import type { Storage } from '../../../storage/storage.js'
import { Branches } from '../../rest/branches.js'
import { MetadataFiles } from '../../rest/files.js'
import { Locations } from '../../rest/locations.js'
import { checkedName, type Identifier, namespaceOf } from '../../rest/names.js'
import { existing, refuseTaken } from '../../rest/relations.js'
import { drop } from '../../rest/rename.js'
import { type RowsFile, rowsToFile } from './rows-file.js'

/** Memory of the engine that writes rows as Parquet. */
const MEMORY = 2 ** 29

/** A table that was written. */
export interface WrittenTable {
  rows: number
  /** Its new data files. */
  files: { path: string; bytes: number }[]
}

/**
 * Tables of callers of AWS's protocols, in namespaces that `lake.ts` does not define: they are
 * written as Iceberg tables, and come into the lake by the journal of the REST catalog, with its
 * rules.
 */
export class LakeTables {
  private readonly locations: Locations
  private readonly branches: Branches

  constructor(private readonly storage: Storage) {
    const files = new MetadataFiles(storage)
    this.locations = new Locations(storage)
    this.branches = new Branches({ storage, files, locations: this.locations, writable: new Set() })
  }

  private async identifier(schema: string, name: string): Promise<Identifier> {
    const state = await this.branches.main.journal.head()
    return { namespace: namespaceOf(schema, state), name: checkedName(name.toLowerCase()) }
  }

  async exists(schema: string, name: string): Promise<boolean> {
    const state = await this.branches.main.journal.head()
    return externalOf(state, await this.identifier(schema, name)) !== undefined
  }

  /** @throws RestError where this caller may not create it, or it is there. */
  async refuseCreating(caller: Caller, schema: string, name: string): Promise<void> {
    const state = await this.branches.main.journal.head()
    refuseTaken({ principal: caller }, state, await this.identifier(schema, name), 'table')
  }

  /** Writes the rows of an answer as a new table. */
  async create(
    caller: Caller,
    { schema, name, partitions, compression, noData }: NewTable,
    answer: QueryAnswer,
  ): Promise<WrittenTable> {
    const { journal, namespaces, tables } = this.branches.main
    const identifier = await this.identifier(schema, name)
    const claim = { caller: { principal: caller }, state: await journal.head(), ...identifier }
    const location = namespaces.locationFor(claim, undefined, randomUUID())
    const folder = this.locations.pathOf(location) as string
    return this.withRows(answer, noData, async (session, file) => {
      const columns = (await session.stream(`${file.sql} LIMIT 0`)).columns
      const fields = columns.map(({ name: column, type }) => ({ name: column, type }))
      const table = Table.create(this.storage, folder).reshape({
        columns: fields,
        partitions: partitions.map((one) =>
          partitionIn(
            one,
            fields.map((field) => field.name),
          ),
        ),
        about: compression === 'snappy' ? { 'write.parquet.compression-codec': 'snappy' } : {},
      })
      const added = file.rows === 0 ? [] : await this.dataFiles(session, table, file.sql)
      const written = await table.write({ removed: new Set(), added })
      const at = { 'metadata-location': this.storage.locate(written.file as string) }
      await tables.register({ principal: caller }, identifier, at)
      return {
        rows: file.rows,
        files: added.map(({ path, bytes }) => ({ path: written.pathOf(path), bytes })),
      }
    })
  }

  /** Adds the rows of an answer to a table, in one snapshot. */
  async insert(
    caller: Caller,
    {
      schema,
      name,
      columns,
    }: { schema: string; name: string; columns: readonly string[] | undefined },
    answer: QueryAnswer,
  ): Promise<WrittenTable> {
    const { journal, tables } = this.branches.main
    const identifier = await this.identifier(schema, name)
    const table = await Table.load(
      this.storage,
      existing(await journal.head(), identifier, 'table'),
    )
    return this.withRows(answer, false, async (session, file) => {
      if (file.rows === 0) return { rows: 0, files: [] }
      const names = table.schema.fields.map((field) => field.name)
      const given = columns?.map((one) => one.toLowerCase()) ?? names
      const count = answer.columns.length
      if (given.length !== count || given.some((one) => !names.includes(one)))
        throw new MoraineError(
          'query',
          `Insert query has ${count} columns, and ${schema}.${name} takes: ${names.join(', ')}`,
        )
      const sql = await insertSql(session, file, table, given)
      const added = await this.dataFiles(session, table, sql)
      const written = await table.write({ removed: new Set(), added })
      const snapshot = written.snapshot
      if (!snapshot) throw new Error('a snapshot was written')
      const id = snapshot['snapshot-id']
      const before = table.snapshot?.['snapshot-id'] ?? null
      await tables.commit({ principal: caller }, [
        {
          identifier,
          requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': before }],
          updates: [
            { action: 'add-snapshot', snapshot },
            { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
          ],
        } as never,
      ])
      return {
        rows: file.rows,
        files: added.map(({ path, bytes }) => ({ path: written.pathOf(path), bytes })),
      }
    })
  }

  /** The rows of an answer as one Parquet file of this machine. */
  async parquet<T>(
    answer: QueryAnswer,
    use: (paths: string[], rows: number) => Promise<T>,
  ): Promise<T> {
    return this.withRows(answer, false, async (session, file, folder) => {
      const columns = (await session.stream(`${file.sql} LIMIT 0`)).columns
      const table = Table.create(this.storage, 'external/unload').reshape({
        columns,
        partitions: [],
      })
      const target = {
        schema: table.schema,
        spec: currentSpec(table.metadata),
        location: `file://${folder}`,
        name: randomUUID(),
      }
      const files = file.rows === 0 ? [] : await session.tables.write(file.sql, target)
      return use(
        files.map(({ path }) => path.replace(/^file:\/\//, '')),
        file.rows,
      )
    })
  }

  async drop(caller: Caller, schema: string, name: string): Promise<void> {
    await drop(
      this.branches.main,
      { principal: caller },
      'table',
      await this.identifier(schema, name),
    )
  }

  async createSchema(caller: Caller, name: string): Promise<void> {
    const state = await this.branches.main.journal.head()
    await this.branches.main.namespaces.create({ principal: caller }, namespaceOf(name, state), {})
  }

  async dropSchema(caller: Caller, name: string): Promise<void> {
    await this.branches.main.namespaces.drop({ principal: caller }, name)
  }

  /** Namespaces that other engines or callers made, beside those of tables. */
  async schemas(caller: Caller): Promise<string[]> {
    const found = await this.branches.main.namespaces.list({ principal: caller }, undefined)
    return found.map((levels) => levels.join('.'))
  }

  private async dataFiles(session: Session, table: Table, sql: string): Promise<DataFile[]> {
    await this.storage.prepare(`${table.dataFolder}/x`)
    const target = {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: this.storage.locate(table.dataFolder),
      name: `athena-${randomUUID()}`,
      compression: table.compression,
    }
    const files = await session.tables.write(sql, target)
    const sums = await this.storage.seal(files.map((file) => table.pathOf(file.path)))
    return files.map((file) => table.withChecksum(file, sums))
  }

  private async withRows<T>(
    answer: QueryAnswer,
    noData: boolean,
    use: (session: Session, file: RowsFile, folder: string) => Promise<T>,
  ): Promise<T> {
    const folder = await scratchFolder('athena')
    const engine = await openEngine({
      memory: MEMORY,
      threads: 1,
      ...(this.storage.staging ? { staging: this.storage.staging } : {}),
    })
    const session = await engine.open()
    try {
      const file = await rowsToFile(answer, folder)
      return await use(session, noData ? { sql: `${file.sql} LIMIT 0`, rows: 0 } : file, folder)
    } finally {
      session.close()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

export interface NewTable {
  schema: string
  name: string
  /** `day`, `month(day)`, `bucket(id, 16)`. */
  partitions: readonly string[]
  compression: 'zstd' | 'snappy'
  noData: boolean
}

/** The rows with the columns of a table, in its order and types. */
async function insertSql(
  session: Session,
  file: RowsFile,
  table: Table,
  given: readonly string[],
): Promise<string> {
  const found = (await session.stream(`${file.sql} LIMIT 0`)).columns
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  const picked = table.schema.fields.map(({ name }) => {
    const at = given.indexOf(name)
    return `${at < 0 ? 'NULL' : quoted(found[at]?.name ?? '')} AS ${quoted(name)}`
  })
  return `SELECT ${picked.join(', ')} FROM (${file.sql})`
}

const TRANSFORMS: readonly string[] = ['year', 'month', 'day', 'hour', 'bucket', 'truncate']

function partitionIn(text: string, columns: readonly string[]): Partition {
  const [, transform, inside, width] =
    /^\s*(\w+)\s*\(\s*"?(\w+)"?\s*(?:,\s*(\d+)\s*)?\)\s*$/.exec(text) ?? []
  const column = (inside ?? text).trim().toLowerCase()
  const name = (transform?.toLowerCase() ?? 'identity') as TransformName
  if (!columns.includes(column) || (transform !== undefined && !TRANSFORMS.includes(name)))
    throw new MoraineError(
      'query',
      `The partition '${text}' is not a column of the table, or a transform of one`,
      {
        hint: `Columns: ${columns.join(', ')}. Transforms: month(column), bucket(column, 16).`,
      },
    )
  return {
    kind: 'partition',
    transform: name,
    column,
    ...(width === undefined ? {} : { width: Number(width) }),
  }
}
