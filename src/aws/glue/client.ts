/*
 * Glue's catalog, as far as the projection of a lake uses it. The shapes are those of its API:
 * https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
 */

export interface GlueColumn {
  Name: string
  Type?: string | undefined
  Comment?: string | undefined
  Parameters?: Record<string, string> | undefined
}

export interface StorageDescriptor {
  Columns?: GlueColumn[] | undefined
  Location?: string | undefined
  InputFormat?: string | undefined
  OutputFormat?: string | undefined
  SerdeInfo?:
    | {
        SerializationLibrary?: string | undefined
        Parameters?: Record<string, string> | undefined
      }
    | undefined
}

/** A table as it is written. */
export interface TableInput {
  Name: string
  Description?: string | undefined
  Owner?: string | undefined
  TableType?: string | undefined
  Parameters?: Record<string, string> | undefined
  StorageDescriptor?: StorageDescriptor | undefined
  PartitionKeys?: GlueColumn[] | undefined
  ViewOriginalText?: string | undefined
  ViewExpandedText?: string | undefined
}

/** A table as it is found. */
export interface GlueTable extends TableInput {
  /** Of each change another, by which the next one is refused that did not see it. */
  VersionId?: string | undefined
}

export interface PartitionInput {
  Values: string[]
  StorageDescriptor?: StorageDescriptor | undefined
  Parameters?: Record<string, string> | undefined
}

/** What became of a call that others may have come before. */
export type Written = 'written' | 'changed' | 'gone'

/** Calls of Glue's catalog; each is one that somebody may pay for. */
export interface Glue {
  /** Creates a database, unless there is one. */
  createDatabase(name: string, description: string): Promise<void>
  /** All tables of a database; `undefined` where there is no such database. */
  tables(database: string): Promise<GlueTable[] | undefined>
  table(database: string, name: string): Promise<GlueTable | undefined>
  /** `changed`: there is one of that name already. */
  createTable(database: string, table: TableInput): Promise<Written>
  /** `changed`: it has another version than the one that is given. */
  updateTable(database: string, table: TableInput, version: string | undefined): Promise<Written>
  deleteTable(database: string, name: string): Promise<void>
  /** @param withColumns whether each has its columns, which makes for longer answers. */
  partitions(database: string, table: string, withColumns?: boolean): Promise<PartitionInput[]>
  /** Those that are there already stay as they are. */
  createPartitions(database: string, table: string, parts: PartitionInput[]): Promise<void>
  /** Those that are not there any more stay away. */
  updatePartitions(database: string, table: string, parts: PartitionInput[]): Promise<void>
  deletePartition(database: string, table: string, values: string[]): Promise<void>
}
