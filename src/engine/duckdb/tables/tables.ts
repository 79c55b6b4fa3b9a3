import type { TableRules } from '../../../define/access/rights.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import type { Schema } from '../../../iceberg/spec/types.js'
import type { Staging } from '../../../storage/staging.js'
import type { DeletesTarget, TableFile, TableIO, WriteTarget } from '../../engine.js'
import type { Statements } from '../statements.js'
import { copyDeletesSql, relocateDeletesSql, toDeletesFile } from './deletes.js'
import { withRules } from './rules.js'
import { tableSql } from './scan.js'
import { partitionSql } from './transforms.js'
import { copySql, isTooLong, longTextsSql, toDataFile, type WrittenFile } from './write.js'
import { locationOf, writtenFile } from './written.js'

/** Reads and writes the data files of Iceberg tables. */
export class DuckDBTables implements TableIO {
  constructor(private readonly statements: Statements) {}

  private get staging(): Staging {
    return this.statements.shared.staging
  }

  scan(schema: Schema, files: readonly TableFile[]): string {
    return tableSql(this.staging, schema, files, false)
  }

  scanWithFiles(schema: Schema, files: readonly TableFile[]): string {
    return tableSql(this.staging, schema, files, true)
  }

  fileName(location: string): string {
    return this.staging.readPath(location)
  }

  withRules(relation: string, rules: TableRules): string {
    return withRules(relation, rules)
  }

  async write(sql: string, target: WriteTarget): Promise<DataFile[]> {
    const partitions = target.spec.fields.map((field) => partitionSql(field, target.schema))
    this.statements.register(partitions.flatMap((p) => (p.function ? [p.function] : [])))
    const copied = (isShort: boolean) =>
      this.statements.try(
        copySql(this.staging, sql, target, isShort),
        (text) => this.statements.connection.runAndReadAll(text),
        target.location,
      )
    const long = new Map<string, string>()
    const reader = await copied(false).catch(async (error) => {
      const texts = isTooLong(error) ? longTextsSql(sql, target) : undefined
      if (texts === undefined) throw error
      // What is a folder's name can't be as long as a value: such have shorter names.
      for (const { name, short, text } of await this.statements.rows(texts))
        long.set(`${name} ${short}`, String(text))
      if (long.size === 0) throw error
      return copied(true)
    })
    const textOf = (name: string, short: string) => long.get(`${name} ${short}`) ?? short
    return reader
      .getRowObjects()
      .map(writtenFile)
      .filter((file) => file.count > 0n)
      .sort((a, b) => (a.filename < b.filename ? -1 : 1))
      .map((file) =>
        toDataFile(file, target, locationOf(this.staging, file.filename, target.location), textOf),
      )
  }

  async writeDeletes(sql: string, target: DeletesTarget): Promise<DataFile> {
    const reader = await this.statements.try(
      copyDeletesSql(this.staging, sql, target),
      (text) => this.statements.connection.runAndReadAll(text),
      target.location,
    )
    const [file] = reader.getRowObjects().map(writtenFile)
    return toDeletesFile(file as WrittenFile, target)
  }

  async relocateDeletes(
    from: string,
    to: string,
    moves: readonly (readonly [from: string, to: string])[],
  ): Promise<number> {
    const reader = await this.statements.try(
      relocateDeletesSql(this.staging, from, to, moves),
      (text) => this.statements.connection.runAndReadAll(text),
    )
    const [file] = reader.getRowObjects().map(writtenFile)
    return Number(file?.file_size_bytes)
  }
}
