import { quoteName, quoteText } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'

/** What folders say of the files in them, by column. */
export type FolderValues = readonly (readonly [name: string, value: string | null])[]

/** How Hive, and who writes as it does, calls the folder of rows that have no value. */
const NONE = '__HIVE_DEFAULT_PARTITION__'

/** The values in a path such as `out/day=2026-01-05/city=S%C3%A3o%20Paulo/part-0.parquet`. */
export function folderValues(path: string): FolderValues {
  const found = new Map(allValues(path).map((one) => [one[0].toLowerCase(), one] as const))
  return [...found.values()]
}

function allValues(path: string): FolderValues {
  return path
    .split('/')
    .slice(0, -1)
    .flatMap((folder) => {
      const at = folder.indexOf('=')
      if (at < 1) return []
      const name = decoded(folder.slice(0, at)).replace(/^_/, 'x_')
      const text = folder.slice(at + 1)
      return [[name, text === NONE ? null : decoded(text)] as const]
    })
}

/**
 * Refuses a file whose folders give a column two values: none of them is more right than the other.
 *
 * @throws MoraineError of kind `source`.
 */
export function refuseTwoValues(path: string): void {
  const values = new Map<string, string | null>()
  for (const [name, value] of allValues(path)) {
    const key = name.toLowerCase()
    const other = values.get(key)
    if (other !== undefined && other !== value) throw twoValues(path, name, [other, value])
    values.set(key, value)
  }
}

function twoValues(path: string, name: string, values: readonly (string | null)[]): MoraineError {
  const [first, second] = values.map((value) => (value === null ? 'NULL' : `'${value}'`))
  return new MoraineError(
    'source',
    `${path} lies in folders that give its column ${name} two values: ${first} and ${second}`,
    {
      hint: 'Nothing was ingested from it. Move it into a path that names the column once, or leave out hive: true.',
    },
  )
}

/**
 * Whether a file in a folder is no data, by its path from there: `_SUCCESS`, what lies in
 * `_temporary`, and what is hidden. A folder such as `_day=5` is a value.
 */
export function isNoData(path: string): boolean {
  return path.split('/').some(isSkipped)
}

const isSkipped = (name: string) =>
  name.startsWith('.') || (name.startsWith('_') && !name.includes('='))

/** What programs write beside data, which nobody takes for data. */
const MARKER =
  /^(\.|_(SUCCESS|temporary|metadata|common_metadata|spark_metadata|delta_log|moraine)$|_(committed|started)_)/

/**
 * What of a path that is no data is to be told, since somebody may have meant it as data: the file,
 * or the folder with a `/`, whose name starts with `_`.
 */
export function skippedName(path: string): string | undefined {
  const names = path.split('/')
  const at = names.findIndex(isSkipped)
  if (at < 0 || MARKER.test(names[at] as string)) return undefined
  return names.slice(0, at + 1).join('/') + (at < names.length - 1 ? '/' : '')
}

/** Names that a note tells. */
const TOLD = 3

/** A note of what is skipped for its name: files, and folders with a `/`. */
export function skippedNote(skipped: Iterable<string>): string[] {
  const names = [...new Set(skipped)].sort()
  if (names.length === 0) return []
  const folders = names.filter((name) => name.endsWith('/')).length
  const counted = [[names.length - folders, 'file'] as const, [folders, 'folder'] as const].flatMap(
    ([n, what]) => (n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`]),
  )
  const [why, them] =
    names.length === 1
      ? ['is skipped because its name starts', 'it']
      : ['are skipped because their names start', 'them']
  const more = names.length > TOLD ? ', …' : ''
  const list = names.slice(0, TOLD).join(', ')
  return [
    `${counted.join(' and ')} ${why} with _: ${list}${more} (to read ${them}, give the path to files())`,
  ]
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
