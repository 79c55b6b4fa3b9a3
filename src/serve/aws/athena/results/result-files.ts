import type { ColumnInfo } from '../types.js'

/** A line of a result's file: all values in quotes, NULL as nothing. */
export function csvLine(values: readonly (string | null)[]): string {
  const cells = values.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`))
  return `${cells.join(',')}\n`
}

/** A line of what SHOW and DESCRIBE give: parted by tabs. */
export const textLine = (values: readonly (string | null)[]): string =>
  `${values.map((value) => value ?? '').join('\t')}\n`

/**
 * The file beside a result that describes its columns, in protobuf: field 4 for each, with its
 * catalog (1), name (4), label (5), type (6), precision (7), scale (8), whether it may be NULL (9)
 * and whether case counts (10).
 */
export function metadataFile(columns: readonly ColumnInfo[]): Buffer {
  return Buffer.concat(columns.map((one) => bytesField(4, columnMessage(one))))
}

const NULLABLE = { NOT_NULL: 1, NULLABLE: 2, UNKNOWN: 3 }

function columnMessage(column: ColumnInfo): Buffer {
  return Buffer.concat([
    bytesField(1, Buffer.from(column.CatalogName)),
    bytesField(4, Buffer.from(column.Name)),
    bytesField(5, Buffer.from(column.Label)),
    bytesField(6, Buffer.from(column.Type)),
    numberField(7, column.Precision),
    numberField(8, column.Scale),
    numberField(9, NULLABLE[column.Nullable]),
    numberField(10, column.CaseSensitive ? 1 : 0),
  ])
}

const bytesField = (field: number, bytes: Buffer) =>
  Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes])

const numberField = (field: number, value: number) =>
  Buffer.concat([varint(field * 8), varint(value)])

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80)
    left = Math.floor(left / 0x80)
  }
  bytes.push(left)
  return Buffer.from(bytes)
}
