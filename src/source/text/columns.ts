import { nearest } from '../../define/nearest.js'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import {
  classOf,
  columnName,
  distinctNames,
  type Key,
  keysInOrder,
  type NamesOutside,
  outsideOfTable,
} from './names.js'

type Declared = Pick<FilesSource, 'columns'>
interface Named {
  name: string
}

/** The columns of a file with what its header calls them. */
export interface HeaderColumns {
  columns: string[]
  outside: NamesOutside
}

/**
 * The columns of a file, as its header names them: declared names are looked for by name, whatever
 * their order. What has no name of its own there (none at all, one that is there already, one that
 * begins with `_`) takes, in order, those declared names that the header lacks; where those do not
 * suffice, one that begins with `_` keeps its own, `x_id`, and names that are left over are told
 * apart, as those of JSON are. A delimiter at the header's end makes no column.
 *
 * @throws MoraineError of kind `source` when a declared name is not there, or a column is left
 *   without one.
 */
export function namesOfHeader(
  header: readonly string[],
  { columns: declared = [] }: Declared,
  file: Named,
): HeaderColumns {
  const fields = header.map((name) => name.trim())
  const seen = new Set<string>()
  const hasOwn = fields.map((field) => {
    const lower = field.toLowerCase()
    if (field === '' || field.startsWith('_') || seen.has(lower)) return false
    seen.add(lower)
    return true
  })
  const others = declared.filter((name) => !seen.has(name.toLowerCase()))
  // Where not all of them are declared, those that begin with `_` keep theirs, as in JSON and
  // Parquet: `x_id`.
  const isShort = others.length < hasOwn.filter((own) => !own).length
  const names = fields.map((field, i) => {
    if (hasOwn[i]) return field
    if (!isShort || !field.startsWith('_')) return others.shift() ?? field
    const at = others.findIndex((name) => name.toLowerCase() === classOf(field))
    if (at >= 0) others.splice(at, 1)
    return field
  })
  while (names.at(-1) === '') names.pop()
  const [lacking] = others
  if (lacking !== undefined) throw noColumn(file, lacking, fields)
  const nameless = names.indexOf('')
  if (nameless >= 0) throw unnamed(nameless, file)
  const keys = keysInOrder(names)
  const spelt = spellings(declared)
  const columns = distinctNames(keys).map((name) => spelt.get(name.toLowerCase()) ?? name)
  return { columns, outside: isPlain(keys) ? {} : outsideOfTable(columns, keys) }
}

/** Whether names are those of their columns, and each is there once. */
function isPlain(keys: readonly Key[]): boolean {
  const classes = new Set(keys.map(([name]) => classOf(name)))
  return classes.size === keys.length && keys.every(([name]) => columnName(name) === name)
}

const spellings = (declared: readonly string[]) =>
  new Map(declared.map((name) => [name.toLowerCase(), name]))

/**
 * The columns of a table whose columns have names: as it calls them, or as the declaration spells
 * them.
 *
 * @throws MoraineError of kind `source` when a declared name is not there.
 */
export function namesOfTable(
  found: readonly string[],
  { columns: declared = [] }: Declared,
  file: Named,
): string[] {
  const lower = new Set(found.map((name) => name.toLowerCase()))
  const lacking = declared.find((name) => !lower.has(name.toLowerCase()))
  if (lacking !== undefined) throw noColumn(file, lacking, found)
  const spelt = spellings(declared)
  return found.map((name) => spelt.get(name.toLowerCase()) ?? name)
}

/** The error for a declared column that a file does not have. */
export function noColumn(
  { name: file }: Named,
  name: string,
  names: readonly string[],
): MoraineError {
  const similar = nearest(name, names)
  return new MoraineError('source', `${file} has no column '${name}'`, {
    hint: `Its columns are: ${names.join(', ')}.${similar ? ` Did you mean '${similar}'?` : ''} If the file has a header, columns: [...] lists the columns that it must have, in any order.`,
  })
}

function unnamed(index: number, { name: file }: Named): MoraineError {
  return new MoraineError('source', `${file}: column ${index + 1} in the header has no name`, {
    hint: 'Set the names yourself with columns: [...] and header: true.',
  })
}

/**
 * Names that stand over several rows: one that is empty above is that to its left, as of cells that
 * were merged.
 */
export function headerOfRows(rows: readonly (readonly string[])[]): string[] {
  const [last = [], ...above] = [...rows].reverse()
  const width = Math.max(...rows.map((row) => row.length), 0)
  const filled = above.reverse().map((row) => {
    let name = ''
    return Array.from({ length: width }, (_, i) => {
      name = row[i]?.trim() || name
      return name
    })
  })
  // Where no row says anything there is no column.
  const isBlank = (i: number) => rows.every((row) => !row[i]?.trim())
  return Array.from({ length: width }, (_, i) =>
    isBlank(i) ? '' : [...filled.map((row) => row[i]), last[i]?.trim()].filter(Boolean).join('_'),
  )
}
