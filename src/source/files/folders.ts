import { quoteName, quoteText } from '../../define/sql/sql.js'

/** What folders say of the files in them, by column. */
export type FolderValues = readonly (readonly [name: string, value: string | null])[]

/** How Hive, and who writes as it does, calls the folder of rows that have no value. */
const NONE = '__HIVE_DEFAULT_PARTITION__'

/** The values in a path such as `out/day=2026-01-05/city=S%C3%A3o%20Paulo/part-0.parquet`. */
export function folderValues(path: string): FolderValues {
  const found = new Map<string, readonly [name: string, value: string | null]>()
  for (const folder of path.split('/').slice(0, -1)) {
    const at = folder.indexOf('=')
    if (at < 1) continue
    const name = decoded(folder.slice(0, at)).replace(/^_/, 'x_')
    const text = folder.slice(at + 1)
    found.set(name.toLowerCase(), [name, text === NONE ? null : decoded(text)])
  }
  return [...found.values()]
}

/**
 * Whether a file in a folder is no data, by its path from there: `_SUCCESS`, what lies in
 * `_temporary`, and what is hidden. A folder such as `_day=5` is a value.
 */
export function isNoData(path: string): boolean {
  return path
    .split('/')
    .some((name) => name.startsWith('.') || (name.startsWith('_') && !name.includes('=')))
}

/**
 * The same of a file that a pattern matches: only the folders that it lies in count, and those that
 * the pattern names do not.
 */
export function isInNoData(path: string, pattern: string): boolean {
  const named = new Set(pattern.split('/'))
  const folders = path.split('/').slice(0, -1)
  return isNoData(folders.filter((folder) => !named.has(folder)).join('/'))
}

/** Where bytes are no UTF-8, those of ASCII alone are decoded, as Hive does it. */
function decoded(text: string): string {
  if (!text.includes('%')) return text
  const escapes = /%[0-9A-Fa-f]{2}/g
  try {
    return text.replace(/(%[0-9A-Fa-f]{2})+/g, decodeURIComponent)
  } catch {
    return text.replace(escapes, (code) => {
      const byte = Number.parseInt(code.slice(1), 16)
      return byte < 128 ? String.fromCharCode(byte) : code
    })
  }
}

/**
 * Rows with the columns that their folders name; one that a file has itself stays beside that of
 * its folder.
 */
export function withFolders<T extends { relation: string; columns: readonly string[] }>(
  rows: T,
  values: FolderValues | undefined,
): T {
  if (!values?.length) return rows
  const names = besides(rows.columns, values)
  const constants = values.map(([, value], i) => {
    const text = value === null ? 'CAST(NULL AS VARCHAR)' : quoteText(value)
    return `${text} AS ${quoteName(names[i] as string)}`
  })
  return {
    ...rows,
    relation: `(SELECT *, ${constants.join(', ')} FROM ${rows.relation})`,
    columns: [...rows.columns, ...names],
  }
}

/**
 * The same of the rows of several files, which say theirs in `_source_file`; all of them lie in
 * folders of the same columns.
 */
export function withFoldersOf<T extends { relation: string; columns: readonly string[] }>(
  rows: T,
  files: readonly (readonly [file: string, values: FolderValues])[],
): T {
  const [, first = []] = files[0] ?? []
  if (first.length === 0) return rows
  const names = besides(rows.columns, first)
  const list = files.map(([file, values]) => {
    const texts = values.map(([, value]) => (value === null ? 'NULL' : quoteText(value)))
    return `(${[quoteText(file), ...texts].join(', ')})`
  })
  const own = names.map((name, i) => `CAST(h.v${i} AS VARCHAR) AS ${quoteName(name)}`)
  const vs = names.map((_, i) => `v${i}`)
  return {
    ...rows,
    relation: `(SELECT r.*, ${own.join(', ')} FROM ${rows.relation} r
      LEFT JOIN (VALUES ${list.join(', ')}) h(file, ${vs.join(', ')}) ON h.file = r._source_file)`,
    columns: [...rows.columns, ...names],
  }
}

function besides(columns: readonly string[], values: FolderValues): string[] {
  const used = new Set(columns.map((name) => name.toLowerCase()))
  return values.map(([preferred]) => {
    let name = preferred
    for (let n = 1; used.has(name.toLowerCase()); n++) name = `${preferred}_${n}`
    used.add(name.toLowerCase())
    return name
  })
}
