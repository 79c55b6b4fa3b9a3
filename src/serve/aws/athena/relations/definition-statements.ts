import { MoraineError } from '../../../../errors.js'
import type { QueryRequest } from '../../../../query/service/request.js'
import type { QueryService } from '../../../../query/service/service.js'
import type { Query } from '../../../../sql/trino/parse/tree.js'
import type { Statement } from '../../../../sql/trino/statement.js'
import { csvFiles, csvRows } from '../../s3/csv-rows.js'
import { addressIn, type ObjectStores } from '../../s3/store.js'
import type { AthenaExecution } from '../execution.js'
import type { RowsToWrite, TableName } from '../lake-access.js'
import type { LakeTables } from '../lake-tables.js'
import type { StoredFiles } from '../results/stored-files.js'
import type { Tables } from '../tables.js'
import type { LakeViews } from './lake-views.js'

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>

/** What a statement sees of the lake. */
interface Making {
  tables: Tables
  ask: (query: Query) => QueryRequest
  commit: RowsToWrite['commit']
  stored: Pick<StoredFiles, 'has'>
}

/** Statements that make or drop databases, views, and tables of files. */
export class DefinitionStatements {
  constructor(
    private readonly service: Pick<QueryService, 'describe'>,
    private readonly tables: LakeTables,
    private readonly views: LakeViews,
    private readonly stores: ObjectStores,
  ) {}

  /** @returns whether it is such a statement: then it is carried out. */
  async run(
    statement: Statement,
    one: AthenaExecution,
    site: Making,
    named: (parts: readonly string[]) => TableName,
  ): Promise<boolean> {
    const { tables, views } = this
    const { caller } = one
    switch (statement.kind) {
      case 'drop table':
      case 'drop view': {
        const { schema, name } = named(statement.name)
        const isGone = statement.ifExists && !site.tables.find(schema, name)
        if (isGone) return true
        if (statement.kind === 'drop view') await views.drop(caller, { schema, name })
        else await tables.drop(caller, schema, name)
        return true
      }
      case 'create view': {
        const { columns } = await this.service.describe(site.ask(statement.query))
        const { text, replace } = statement
        const view = { sql: text, database: one.database, columns, replace }
        await views.put(caller, named(statement.name), view)
        return true
      }
      case 'create external table':
        await this.createOfFiles(statement, one, site, named(statement.table))
        return true
      case 'create schema': {
        const name = schemaOf(statement.name)
        const isThere = (await tables.schemas(caller)).includes(name)
        if (!(isThere && statement.ifNotExists)) await tables.createSchema(caller, name)
        return true
      }
      case 'drop schema': {
        const name = schemaOf(statement.name)
        const isThere = (await tables.schemas(caller)).includes(name)
        if (isThere || !statement.ifExists) await tables.dropSchema(caller, name, statement)
        return true
      }
      default:
        return false
    }
  }

  /** Makes a table of the rows that files have now. */
  private async createOfFiles(
    { location, columns, csv, ifNotExists }: Of<'create external table'>,
    { caller, stop }: AthenaExecution,
    { commit, stored }: Making,
    { schema, name }: TableName,
  ): Promise<void> {
    if (ifNotExists && (await this.tables.exists(caller, schema, name))) return
    const at = addressIn(location)
    if (!at) throw new MoraineError('query', `'${location}' is not an address: s3://bucket/folder/`)
    const store = this.stores.of(caller)
    const files = (await csvFiles(store, at)).filter((one) => !stored.has(one))
    if (files.length === 0)
      throw new MoraineError('query', `No file of yours lies in ${location}`, {
        hint: 'A table has the rows that its files have when it is created: put them there first.',
      })
    await this.tables.refuseCreating(caller, schema, name)
    const answer = {
      columns: columns.map((column) => ({ name: column.name, type: 'VARCHAR' })),
      rows: csvRows(store, files, columns.length, csv),
    }
    const table = { schema, name, partitions: [], compression: 'zstd', noData: false } as const
    await this.tables.create(caller, table, { answer, signal: stop.signal, commit })
  }
}

function schemaOf(parts: readonly string[]): string {
  if (parts.length > 2) throw new MoraineError('query', `'${parts.join('.')}' has too many parts`)
  return (parts.at(-1) as string).toLowerCase()
}
