import { randomUUID } from 'node:crypto'
import { type Partition, partitionProblem, type TransformName } from '../../../define/partition.js'
import type { Field } from '../../../define/types/column-type.js'
import type { Session } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import { currentSpec } from '../../../iceberg/spec/metadata.js'
import { Table } from '../../../iceberg/table.js'
import type { Caller } from '../../../query/service/request.js'
import type { Storage } from '../../../storage/storage.js'
import { namespaceOf } from '../../rest/names.js'
import { isShown, refuseTaken } from '../../rest/relations.js'
import { drop } from '../../rest/rename.js'
import type { LakeAccess, RowsToWrite, TableName } from './lake-access.js'
import { refuseNulls } from './row-changes.js'
import { type RowsFile, withRowsFile } from './rows-file.js'

/**
 * Tables of callers of AWS's protocols, in namespaces that `lake.ts` does not define: they are
 * written as Iceberg tables, and come into the lake by the journal of the REST catalog, with its
 * rules.
 */
export class LakeTables {
  private readonly storage: Storage

  constructor(private readonly lake: LakeAccess) {
    this.storage = lake.storage
  }

  async exists(caller: Caller, schema: string, name: string): Promise<boolean> {
    const identifier = await this.lake.identifier({ schema, name })
    return isShown({ principal: caller }, await this.lake.head(), identifier)
  }

  /** @throws RestError where this caller may not create it, or it is there. */
  async refuseCreating(caller: Caller, schema: string, name: string): Promise<void> {
    const identifier = await this.lake.identifier({ schema, name })
    refuseTaken({ principal: caller }, await this.lake.head(), identifier, 'table')
  }

  /** Writes the rows of an answer as a new table. */
  async create(
    caller: Caller,
    { schema, name, partitions, compression, noData }: NewTable,
    from: RowsToWrite,
  ): Promise<void> {
    const { lake } = this
    const { namespaces, tables } = lake.main
    const identifier = await lake.identifier({ schema, name })
    const claim = { caller: { principal: caller }, state: await lake.head(), ...identifier }
    const location = namespaces.locationFor(claim, undefined, randomUUID())
    const folder = lake.locations.pathOf(location) as string
    return this.withRows(from, noData, async (session, file) => {
      const columns = await session.describe(file.sql)
      const fields = columns.map(({ name: column, type }) => ({ name: column, type }))
      const table = Table.create(this.storage, folder).reshape({
        columns: fields,
        partitions: partitions.map((one) => partitionIn(one, fields)),
        about: compression === 'snappy' ? { 'write.parquet.compression-codec': 'snappy' } : {},
      })
      refusePartitionNames(currentSpec(table.metadata).fields, table.schema.fields)
      const added = file.rows === 0 ? [] : await lake.dataFiles(session, table, file.sql)
      const written = await table.write({ removed: new Set(), added })
      const at = { 'metadata-location': this.storage.locate(written.file as string) }
      const files = added.map(({ path, bytes }) => ({ path: written.pathOf(path), bytes }))
      await from.commit({ rows: file.rows, files }, () =>
        tables.register({ principal: caller }, identifier, at),
      )
    })
  }

  /** Adds the rows of an answer to a table, in one snapshot. */
  async insert(
    caller: Caller,
    { schema, name, columns: given }: TableName & { columns: readonly string[] },
    from: RowsToWrite,
  ): Promise<void> {
    const { lake } = this
    const identifier = await lake.identifier({ schema, name })
    const table = await lake.writable(await lake.head(), identifier)
    return this.withRows(from, false, async (session, file) => {
      if (file.rows === 0) return
      const names = table.schema.fields.map((field) => field.name)
      const count = from.answer.columns.length
      if (given.length !== count || given.some((one) => !names.includes(one)))
        throw new MoraineError(
          'query',
          `Insert query has ${count} columns, and ${schema}.${name} takes: ${names.join(', ')}`,
        )
      const sql = await insertSql(session, file, table, given)
      await refuseNulls(session, table, [sql])
      const added = await lake.dataFiles(session, table, sql)
      const written = await table.write({ removed: new Set(), added })
      await from.commit({ rows: file.rows, files: [] }, () =>
        lake.publish(caller, identifier, table, written),
      )
    })
  }

  /** The rows of an answer as one Parquet file of this machine. */
  async parquet<T>(
    from: Unwritten,
    use: (paths: string[], rows: number) => Promise<T>,
  ): Promise<T> {
    return this.withRows(from, false, async (session, file, folder) => {
      const columns = await session.describe(file.sql)
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
    const identifier = await this.lake.identifier({ schema, name })
    await drop(this.lake.main, { principal: caller }, 'table', identifier)
  }

  async createSchema(caller: Caller, name: string): Promise<void> {
    const state = await this.lake.head()
    await this.lake.main.namespaces.create({ principal: caller }, namespaceOf(name, state), {})
  }

  /** @param how whether its tables and views go with it. */
  async dropSchema(caller: Caller, name: string, how?: { cascade: boolean }): Promise<void> {
    await this.lake.main.namespaces.drop({ principal: caller }, name, how)
  }

  /** Namespaces that other engines or callers made, beside those of tables. */
  async schemas(caller: Caller): Promise<string[]> {
    const found = await this.lake.main.namespaces.list({ principal: caller }, undefined)
    return found.map((levels) => levels.join('.'))
  }

  private async withRows<T>(
    { answer, signal }: Unwritten,
    noData: boolean,
    use: (session: Session, file: RowsFile, folder: string) => Promise<T>,
  ): Promise<T> {
    const { staging } = this.storage
    return withRowsFile(answer, { staging, signal }, (session, found, folder) => {
      const file = noData ? { sql: `${found.sql} LIMIT 0`, rows: 0 } : found
      return use(session, file, folder)
    })
  }
}

/** Rows that are written, and not committed. */
type Unwritten = Omit<RowsToWrite, 'commit'>

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
  const found = await session.describe(file.sql)
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  const picked = table.schema.fields.map(({ name }) => {
    const at = given.indexOf(name)
    return `${at < 0 ? 'NULL' : quoted(found[at]?.name ?? '')} AS ${quoted(name)}`
  })
  return `SELECT ${picked.join(', ')} FROM (${file.sql})`
}

const TRANSFORMS: readonly string[] = ['year', 'month', 'day', 'hour', 'bucket', 'truncate']

const TRANSFORM = /^\s*(\w+)\s*\(\s*"?(\w+)"?\s*(?:,\s*(\d+)\s*)?\)\s*$/

/** Athena writes `bucket(16, id)` where columns are listed, and Trino `bucket(id, 16)`. */
const turned = (text: string) =>
  text.replace(/^(\s*\w+\s*\()\s*(\d+)\s*,\s*("?\w+"?)\s*\)\s*$/, '$1$3, $2)')

/** @throws MoraineError of kind `query` where columns have no such partitions. */
export function partitionIn(text: string, columns: readonly Field[]): Partition {
  const [, transform, inside, width] = TRANSFORM.exec(turned(text)) ?? []
  const column = (inside ?? text).trim().toLowerCase()
  const type = columns.find((one) => one.name === column)?.type
  const name = (transform?.toLowerCase() ?? 'identity') as TransformName
  if (!type || (transform !== undefined && !TRANSFORMS.includes(name)))
    throw new MoraineError(
      'query',
      `The partition '${text}' is not a column of the table, or a transform of one`,
      {
        hint: `Columns: ${columns.map((one) => one.name).join(', ')}. Transforms: month(column), bucket(column, 16).`,
      },
    )
  const partition: Partition = {
    kind: 'partition',
    transform: name,
    column,
    ...(width === undefined ? {} : { width: Number(width) }),
  }
  const problem = partitionProblem(partition, type)
  if (problem !== undefined) throw new MoraineError('query', problem)
  return partition
}

/** @throws MoraineError of kind `query` where other engines could not open a table any more. */
export function refusePartitionNames(
  partitions: readonly { 'source-id': number; name: string }[],
  fields: readonly { id: number; name: string }[],
): void {
  for (const { name, 'source-id': source } of partitions) {
    const column = fields.find((one) => one.name === name)
    if (column && column.id !== source)
      throw new MoraineError(
        'query',
        `The column ${name} has the name that partitions of the table have, and is not what they are made of`,
        { hint: 'Give it another name: other engines open no table that has both.' },
      )
  }
}
