import type { Field } from '../../../define/types/column-type.js'
import type {
  CellFormat,
  ExportFile,
  ExportIO,
  Figures,
  TextUnits,
  ValueLimits,
} from '../../export-io.js'
import { fileList } from '../paths.js'
import type { Statements } from '../statements.js'
import { copyCsvSql } from './cells.js'
import { figuresSql } from './figures.js'
import { copyFileSql, fileRowsSql, isPlainText, longestSql, withoutFormulas } from './files.js'
import { beyondSql, isLimited } from './limits.js'

/** Hands rows over to other programs. */
export class DuckDBExports implements ExportIO {
  constructor(private readonly statements: Statements) {}

  async csv(
    sql: string,
    columns: readonly Field[],
    path: string,
    format: CellFormat,
  ): Promise<void> {
    // In their order they would be held back until all before them were written.
    await this.statements.run('SET preserve_insertion_order = false')
    await this.statements.run(copyCsvSql(sql, columns, path, format))
  }

  async file(sql: string, columns: readonly Field[], file: ExportFile): Promise<void> {
    const path = this.statements.shared.staging.localPath(file.location)
    await this.statements.run(copyFileSql(sql, columns, path, file))
  }

  fileRows(columns: readonly Field[], file: ExportFile): Promise<string> {
    const { staging } = this.statements.shared
    const path = staging.localPath(file.location)
    return fileRowsSql(fileList(staging, [file.location]), columns, path, file)
  }

  async longest(sql: string, columns: readonly Field[]) {
    const texts = columns.filter(isPlainText)
    if (texts.length === 0) return []
    const [row = {}] = await this.statements.rows(longestSql(sql, texts))
    return texts.map(({ name }, i) => ({ name, bytes: Number(row[`l${i}`]) }))
  }

  readonly figuresSql = figuresSql
  readonly withoutFormulas = withoutFormulas

  async beyond(sql: string, columns: readonly Field[], limits: ValueLimits) {
    const limited = columns.filter((column) => isLimited(column, limits))
    if (limited.length === 0) return undefined
    const [row = {}] = await this.statements.rows(beyondSql(sql, limited, limits))
    const at = limited.findIndex((_, i) => row[`b${i}`] != null)
    return at < 0 ? undefined : { name: (limited[at] as Field).name, value: String(row[`b${at}`]) }
  }

  async figures(sql: string, columns: readonly Field[], units?: TextUnits): Promise<Figures> {
    const [row = {}] = await this.statements.rows(figuresSql(sql, columns, units))
    return {
      rows: BigInt(row.f0 as bigint),
      columns: columns.map((_, i) => {
        const sum = row[`f${2 * i + 2}`]
        return {
          values: BigInt(row[`f${2 * i + 1}`] as bigint),
          sum: sum == null ? undefined : String(sum),
        }
      }),
    }
  }
}
