import type { RowValue } from '../../../engine/engine.js'
import { PgError } from '../pg-error.js'
import type { ColumnDescription } from '../wire/write-message.js'
import { arrayBinary, toBinary } from './binary.js'
import { oidOf, type PgColumnType, pgColumnType } from './column-type.js'
import { arrayText, toText } from './text.js'

/** A column of a result, by the engine's name of its type. */
export interface ResultColumn {
  name: string
  type: string
}

/** Whether the engine has to write some columns as JSON, before PostgreSQL can have them. */
export function needsJson(columns: readonly ResultColumn[]): boolean {
  return columns.some(({ type }) => pgColumnType(type).asJson)
}

/** How the rows of a result are written: each column in its type, as a text or in binary. */
export class RowFormat {
  private readonly types: PgColumnType[]
  readonly formats: number[]

  /**
   * @param formats as Bind has them: none for texts, one for all columns, or one for each.
   * @throws PgError for formats that there are not.
   */
  constructor(
    private readonly columns: readonly ResultColumn[],
    formats: readonly number[] = [],
  ) {
    this.types = columns.map(({ type }) => pgColumnType(type))
    if (formats.some((format) => format !== 0 && format !== 1))
      throw new PgError('08P01', 'There are formats 0 and 1 alone')
    if (formats.length > 1 && formats.length !== columns.length)
      throw new PgError(
        '08P01',
        `There are ${formats.length} formats for ${columns.length} columns`,
      )
    this.formats = columns.map((_, i) => (formats.length > 1 ? formats[i] : formats[0]) ?? 0)
  }

  describe(): ColumnDescription[] {
    return this.types.map((type, i) => ({
      name: this.columns[i]?.name ?? '',
      table: 0,
      column: 0,
      oid: oidOf(type),
      size: type.isArray ? -1 : type.type.size,
      modifier: type.modifier,
      format: this.formats[i] ?? 0,
    }))
  }

  /** @throws PgError for a value that its type cannot have. */
  row(values: readonly RowValue[]): (Buffer | string | null)[] {
    return this.types.map((type, i) => {
      const value = values[i] ?? null
      if (value === null) return null
      try {
        return this.formats[i] === 1 ? binaryOf(type, value) : textOf(type, value)
      } catch (cause) {
        throw new PgError('22003', `A value of ${this.columns[i]?.name} cannot be sent`, { cause })
      }
    })
  }
}

function textOf({ type, isArray }: PgColumnType, value: Exclude<RowValue, null>): string {
  return isArray ? arrayText(type, value as RowValue[]) : toText(type, value)
}

function binaryOf({ type, isArray }: PgColumnType, value: Exclude<RowValue, null>): Buffer {
  return isArray ? arrayBinary(type, value as RowValue[]) : toBinary(type, value)
}
