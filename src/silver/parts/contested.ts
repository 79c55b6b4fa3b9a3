import type { Silver } from '../../define/model.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Schema } from '../../iceberg/spec/types.js'
import { compareValues, decodeValue, isComparable, type Value } from '../../iceberg/spec/values.js'
import type { GroupRows } from '../../step/task/task.js'

/** What is known of a file's keys: the first column's bounds; none where nothing is. */
interface Bounded {
  group: number
  file: DataFile
  least: Value | undefined
  greatest: Value | undefined
}

/**
 * What groups of files have written without the data files whose keys no other group can have, by
 * the bounds of the key's first column: of rows that arrive in the order of their keys, all.
 *
 * @param schema the columns of the data files.
 */
export function contestedGroups(
  { key }: Silver,
  schema: Schema,
  groups: readonly GroupRows[],
): GroupRows[] {
  const field = schema.fields.find(({ name }) => name === key[0])
  const type = typeof field?.type === 'string' && isComparable(field.type) ? field.type : undefined
  const all = groups.flatMap(({ index, data }) =>
    data.map((file): Bounded => {
      const { lower, upper } = (field && file.columns.get(field.id)) ?? {}
      const known = type !== undefined && lower && upper
      return {
        group: index,
        file,
        least: known ? decodeValue(lower, type) : undefined,
        greatest: known ? decodeValue(upper, type) : undefined,
      }
    }),
  )
  // What else is said of keys has no bounds here: it may be about any.
  const open = new Set([
    ...all.flatMap(({ group, least }) => (least === undefined ? [group] : [])),
    ...groups.flatMap(({ index, others }) => (others.length > 0 ? [index] : [])),
  ])
  if (open.size > 0) return [...groups]
  const contested = overlapping(all)
  return groups.map((group) => ({
    ...group,
    data: group.data.filter((file) => contested.has(file)),
  }))
}

/** Files whose bounds meet those of a file of another group, directly or by way of others. */
function overlapping(all: readonly Bounded[]): Set<DataFile> {
  const found = new Set<DataFile>()
  let [together, end]: [Bounded[], Value | undefined] = [[], undefined]
  const close = () => {
    const isOne = together.every(({ group }) => group === together[0]?.group)
    if (!isOne) for (const { file } of together) found.add(file)
  }
  const sorted = [...all].sort((a, b) => compareValues(a.least as Value, b.least as Value))
  for (const one of sorted) {
    if (end !== undefined && compareValues(one.least as Value, end) > 0) {
      close()
      ;[together, end] = [[], undefined]
    }
    together.push(one)
    const { greatest } = one
    if (end === undefined || compareValues(greatest as Value, end) > 0) end = greatest
  }
  close()
  return found
}
