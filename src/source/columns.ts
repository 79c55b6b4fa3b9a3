import { nearest } from '../define/nearest.js'
import type { FilesSource } from '../define/source.js'
import { MoraineError } from '../errors.js'
import { columnName } from './names.js'

type Declared = Pick<FilesSource, 'columns'>
interface Named {
  name: string
}

/**
 * The names of a file's columns, as its header says: declared names are looked for by name, whatever their order. What has no name of
 * its own there (none at all, one that is there already, one that begins with `_`) takes, in order, those declared names that the
 * header lacks; one that begins with `_` has an `x` before it where they do not suffice. A delimiter at the header's end makes no column.
 *
 * @throws MoraineError of kind `source` when a declared name is not there, or a column is left without one.
 */
export function namesOfHeader(
  header: readonly string[],
  { columns: declared = [] }: Declared,
  file: Named,
): string[] {
  const fields = header.map((name) => name.trim())
  const spelt = new Map(declared.map((name) => [name.toLowerCase(), name]))
  const seen = new Set<string>()
  const names = fields.map((field): string | undefined => {
    const lower = field.toLowerCase()
    if (field === '' || field.startsWith('_') || seen.has(lower)) return undefined
    seen.add(lower)
    return spelt.get(lower) ?? field
  })
  const others = declared.filter((name) => !seen.has(name.toLowerCase()))
  // Where not all of them are declared, those that begin with `_` keep theirs, as in JSON and Parquet: `x_id`.
  const isShort = others.length < names.filter((name) => name === undefined).length
  const found = names.map((name, i) => {
    const own = columnName(fields[i] as string)
    const lower = own.toLowerCase()
    const isOwn = isShort && name === undefined && fields[i]?.startsWith('_') && !seen.has(lower)
    if (!isOwn) return name ?? others.shift()
    seen.add(lower)
    const at = others.findIndex((other) => other.toLowerCase() === lower)
    return at < 0 ? own : others.splice(at, 1)[0]
  })
  while (found.length > 0 && found.at(-1) === undefined && fields.at(found.length - 1) === '')
    found.pop()
  const [lacking] = others
  if (lacking !== undefined) throw noColumn(file, lacking, fields)
  return found.map((name, i) => name ?? unnamed(fields[i] as string, i, file))
}

/**
 * The columns of a table whose columns have names: as it calls them, or as the declaration spells them.
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
  const spelt = new Map(declared.map((name) => [name.toLowerCase(), name]))
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
    hint: `Its columns are: ${names.join(', ')}.${similar ? ` Did you mean '${similar}'?` : ''} With names in the file, columns: [...] are those that must be there, in any order.`,
  })
}

function unnamed(field: string, index: number, { name: file }: Named): never {
  const said =
    field === ''
      ? `column ${index + 1} in the header has no name`
      : `the column name '${field}' appears twice`
  throw new MoraineError('source', `${file}: ${said}`, {
    hint: 'Give the names yourself with columns: [...] and header: true.',
  })
}

/** Names that stand over several rows: one that is empty above is that to its left, as of cells that were merged. */
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
