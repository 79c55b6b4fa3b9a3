import type { ColumnType, Field } from '../../define/types/column-type.js'
import type { IcebergField } from '../../iceberg/spec/types.js'
import { toColumnType } from '../../iceberg/spec/types.js'
import type { TableVersion } from '../../iceberg/version.js'
import { type ColumnChange, schemaDiff } from '../../plan/schema-diff.js'

/** A column that two versions of a table have, be it under two names. */
export interface Pair {
  name: string
  before: string
  type: ColumnType
  typeBefore: ColumnType
}

/** How the columns of two versions of a table belong together. */
export interface Columns {
  pairs: readonly Pair[]
  changes: readonly ColumnChange[]
  /** A file that both have may give other values in one of them. */
  isReread: boolean
}

/** Whether it is none of those that Moraine adds. */
export const isShown = ({ name }: { name: string }) => !name.startsWith('_')

/**
 * Which columns of two versions are the same: those of one name, and those that got another one.
 * Both may have added columns under one id since they parted, so an id alone says nothing: the
 * other version must once have had it under that name.
 */
export function columnsOf(before: TableVersion, after: TableVersion): Columns {
  const isOneTable = before.metadata['table-uuid'] === after.metadata['table-uuid']
  const [old, fresh] = [before.schema.fields.filter(isShown), after.schema.fields.filter(isShown)]
  const byName = new Map(old.map((field) => [field.name, field]))
  const names = new Set(fresh.map(({ name }) => name))
  const renamedFrom = (field: IcebergField) =>
    isOneTable
      ? old.find(
          ({ id, name }) =>
            id === field.id &&
            !names.has(name) &&
            (had(after, id, name) || had(before, id, field.name)),
        )
      : undefined
  const matched = fresh.map((field) => {
    return { field, old: byName.get(field.name) ?? renamedFrom(field) }
  })
  // A column whose values were written anew under another id is NULL in the files of before.
  const isReread = matched.some(({ field, old }) => old && old.id !== field.id)
  const pairs = matched.flatMap(({ field, old }): Pair[] =>
    old
      ? [
          {
            name: field.name,
            before: old.name,
            type: toColumnType(field.type),
            typeBefore: toColumnType(old.type),
          },
        ]
      : [],
  )
  const renamed = Object.fromEntries(
    pairs.filter((pair) => pair.name !== pair.before).map((pair) => [pair.before, pair.name]),
  )
  const changes = schemaDiff(fieldsOf(old), fieldsOf(fresh), renamed)
  return { pairs, changes, isReread }
}

export const fieldsOf = (fields: readonly IcebergField[]): Field[] =>
  fields.filter(isShown).map(({ name, type }) => ({ name, type: toColumnType(type) }))

/** Whether a version, or one before it, has a column of that id under that name. */
const had = ({ metadata }: TableVersion, id: number, name: string) =>
  metadata.schemas.some(({ fields }) =>
    fields.some((field) => field.id === id && field.name === name),
  )
