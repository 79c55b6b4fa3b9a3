import type { GlueColumn, TableInput } from './client.js'

/*
 * What Glue's catalog takes:
 * https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html and API_Column.html
 */
export const LONGEST_NAME = 255
const LONGEST_COMMENT = 255
const LONGEST_DESCRIPTION = 2048
const LONGEST_TYPE = 131_072
const LONGEST_VALUE = 512_000

/** A table within the limits of Glue, and what had to be left out for that. */
export function fitted(table: TableInput): { table: TableInput; notes: string[] } {
  const notes: string[] = []
  const columns = (list: readonly GlueColumn[] = []) =>
    list.filter(({ Name, Type = '' }) => {
      const isLong = Name.length > LONGEST_NAME || Type.length > LONGEST_TYPE
      if (isLong)
        notes.push(
          `its column '${Name.slice(0, 40)}' is not listed: Glue takes names of ${LONGEST_NAME} and types of ${LONGEST_TYPE} characters`,
        )
      return !isLong
    })
  const parameters = Object.entries(table.Parameters ?? {}).filter(([name, value]) => {
    const fits = name.length <= LONGEST_NAME && value.length <= LONGEST_VALUE
    if (!fits) notes.push(`its parameter ${name.slice(0, 40)} is left out: it is too long for Glue`)
    return fits
  })
  const { StorageDescriptor: storage, Description, Owner } = table
  return {
    notes,
    table: {
      ...table,
      Parameters: Object.fromEntries(parameters),
      ...(Description ? { Description: shortened(Description, LONGEST_DESCRIPTION) } : {}),
      ...(Owner ? { Owner: shortened(Owner, LONGEST_NAME) } : {}),
      ...(storage
        ? {
            StorageDescriptor: {
              ...storage,
              Columns: columns(storage.Columns).map((column) =>
                column.Comment
                  ? { ...column, Comment: shortened(column.Comment, LONGEST_COMMENT) }
                  : column,
              ),
            },
          }
        : {}),
    },
  }
}

/** A text on one line, of at most so many UTF-16 units, no character cut in two. */
function shortened(text: string, most: number): string {
  const line = text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .toWellFormed()
    .replaceAll('\ufffd', '?')
  if (line.length <= most) return line
  return `${line.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
