import { rm } from 'node:fs/promises'
import { basename, dirname, relative, sep } from 'node:path'
import { quoteName } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { folderValues } from '../../source/files/folders.js'
import { columnsOf } from '../../step/batches.js'
import { Naming, namesInBatch } from '../../step/naming.js'
import { scratchFolder } from '../../storage/scratch.js'
import { datasetName, type Found, type FoundTable } from './found.js'
import { inferColumns, inferKey } from './infer.js'
import { type Looked, Looks, stemOf } from './looks.js'
import { codeOptions, codeText } from './readings.js'
import { filesBelow, type Group, groupsOf } from './walk.js'

/** Files of a table that are looked at; of more, so many from its start to its end. */
const FILES = 50
/** Bytes of a table that are looked at. */
const BYTES = 256 * 2 ** 20
/** Files that a definition may list one by one. */
const LISTED = 100

/** Files that are laid out alike. */
interface Part {
  /** Those that were looked at. */
  files: string[]
  looks: Looked[]
  /** Those that were not, and belong to them by their names. */
  unseen: string[]
}

/** Files that are crawled. */
export interface Crawled {
  /** What was asked for, as it may be told. */
  name: string
  /** The folder that they are in. */
  root: string
  /** The folder that paths in definitions are relative to. */
  base: string
  files: readonly string[]
  /** Makes sure that what is looked at of a file is there; says whether that is only its start. */
  fetch: (file: string) => Promise<{ isCut: boolean }>
  /** A path as definitions say it. */
  spell: (path: string) => string
  /** Names that other datasets have. */
  taken: ReadonlySet<string>
  /** What was to be said before files were looked at. */
  notes?: readonly string[]
}

/**
 * Finds tables in a folder: files of one folder and one ending that are laid out alike are one
 * table, and so are folders such as
 * `day=2026-01-01/`. They are read as a run reads them.
 *
 * @param base the folder that paths in definitions are relative to.
 * @param taken names that other datasets have.
 * @throws MoraineError of kind `source` when there is nothing that can be read.
 */
export async function crawlFolder(
  path: string,
  base: string,
  session: Session,
  taken: ReadonlySet<string> = new Set(),
): Promise<Found> {
  const notes: string[] = []
  const files = await filesBelow(path, notes)
  const fetch = async () => ({ isCut: false })
  const root = files.length === 1 && files[0] === path ? dirname(path) : path
  const about = { name: path, root, base, files, fetch, taken, notes }
  return crawlFiles({ ...about, spell: (inside) => inside }, session)
}

/** Finds tables among files. */
export async function crawlFiles(crawled: Crawled, session: Session): Promise<Found> {
  const { root, base, files } = crawled
  const tables: FoundTable[] = []
  const notes: string[] = [...(crawled.notes ?? [])]
  const taken = new Set(crawled.taken)
  const scratch = await scratchFolder('crawl')
  try {
    const looks = new Looks(session, scratch, base, notes)
    for (const group of groupsOf(root, files)) {
      const { parts, seen, whole } = await partsOf(group, crawled, looks, notes)
      const left = share(parts, without(group.files, seen), whole)
      for (const part of parts) {
        const table = await tableOf(session, { group, part, whole, crawled, taken })
        taken.add(table.name)
        tables.push(table)
      }
      const folder = relative(base, group.folder) || group.folder
      if (seen.size < group.files.length && parts.length > 0)
        notes.push(`${seen.size} of the ${group.files.length} files in ${folder} were examined`)
      if (left.length > 0 && parts.length > 0) notes.push(leftNote(folder, left))
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  if (tables.length === 0)
    throw new MoraineError('source', `No files in ${crawled.name} can be read`, {
      hint: [
        'Delimited text, JSON, JSON lines, XML, Parquet, Avro and Excel files are examined, in subfolders too.',
        ...notes.slice(0, 10),
      ].join('\n'),
    })
  return { imports: ['files'], preamble: [], tables, notes: [...new Set(notes)] }
}

/**
 * The tables that files of a group make up, and which were looked at; `whole` where they are one
 * table, but for those without rows.
 */
async function partsOf(group: Group, crawled: Crawled, looks: Looks, notes: string[]) {
  const { fetch } = crawled
  const parts: Part[] = []
  const { files, hive } = group
  const step = files.length > FILES ? (files.length - 1) / (FILES - 1) : 1
  const chosen = [...new Set(files.map((_, i) => Math.round(i * step)))].filter(
    (i) => i < files.length,
  )
  const seen = new Set<string>()
  let [empty, bytes] = [0, 0]
  for (const file of chosen.map((i) => files[i] as string)) {
    if (bytes > BYTES) break
    const { isCut } = await fetch(file)
    seen.add(file)
    const found = await looks.at(file, hive.length > 0, isCut)
    if (!found) continue
    if (found.length === 0) empty++
    const [first] = found
    if (/\.zip$/i.test(file) && first && !found.every((look) => alike(first, look))) {
      notes.push(
        `${basename(file)} contains files of several kinds: unpack it, and crawl the folder`,
      )
      continue
    }
    for (const look of found) {
      bytes += look.taken.bytes
      const part = parts.find(({ looks }) => alike(looks[0] as Looked, look))
      if (!part) parts.push({ files: [file], looks: [look], unseen: [] })
      else {
        if (part.files.at(-1) !== file) part.files.push(file)
        part.looks.push(look)
      }
    }
  }
  const all = await joined(parts, crawled, looks)
  return { parts: all, seen, whole: all.length === 1 && all[0]?.files.length === seen.size - empty }
}

/**
 * Hands out files that were not looked at: to the table whose files are called like them, of
 * several to that of most. Tables of the same workbooks have the others in common, too.
 *
 * @returns those that are called like none.
 */
function share(parts: readonly Part[], unseen: readonly string[], whole: boolean): string[] {
  if (whole) {
    for (const part of parts) part.unseen = [...unseen]
    return []
  }
  const named = parts.map((part) => {
    const stems = [...new Set(part.files.map(stemOf))]
    const own = new Set(part.files)
    const shares = ({ files }: Part) => files.filter((file) => own.has(file)).length * 2 >= own.size
    return { part, stems, words: new Set(stems.map(wordsOf)), with: parts.filter(shares) }
  })
  named.sort((a, b) => b.part.files.length - a.part.files.length)
  return unseen.filter((file) => {
    const stem = stemOf(file)
    const words = wordsOf(stem)
    const best =
      named.find((other) => other.words.has(words)) ??
      named.find(({ stems }) => stems.some((other) => related(stem, other)))
    for (const part of best?.with ?? []) part.unseen.push(file)
    return best === undefined
  })
}

/** What a name says, without the numbers and days that tell files of a table apart. */
const wordsOf = (stem: string) => stem.toLowerCase().replace(/[\d_. -]+/g, ' ')

const without = (files: readonly string[], others: ReadonlySet<string>) =>
  files.filter((file) => !others.has(file))

function leftNote(folder: string, left: readonly string[]): string {
  const [first = ''] = left
  const [are, like] = left.length === 1 ? ['file', 'is'] : ['files', 'are']
  return `${left.length} ${are} in ${folder} ${like} not part of any definition, such as ${basename(first)}: no file with a name like that was examined`
}

/** Options that a file shows only where it has a quote or a missing value. */
const SOME = ['escape', 'quote', 'nulls'] as const

/** Parts that all can be read as one of them is: some files have no value that shows how. */
async function joined(parts: Part[], { fetch }: Crawled, looks: Looks): Promise<Part[]> {
  const left: Part[] = []
  for (const part of parts) {
    let isOne = false
    for (const [i, other] of left.entries()) {
      const [a, b] = [other.looks[0] as Looked, part.looks[0] as Looked]
      const options = { ...a.options, ...b.options }
      if (!alike({ ...a, options: general(a) }, { ...b, options: general(b) })) continue
      const all: Looked[] = []
      for (const file of [...other.files, ...part.files]) {
        const { isCut } = await fetch(file)
        all.push(...((await looks.at(file, a.options.hive === true, isCut, options)) ?? []))
      }
      const broken = (some: readonly Looked[]) => some.reduce((n, l) => n + l.taken.broken, 0)
      if (broken(all) > broken([...other.looks, ...part.looks])) continue
      if (all.length !== other.looks.length + part.looks.length) continue
      left[i] = { files: [...other.files, ...part.files], looks: all, unseen: [] }
      isOne = true
      break
    }
    if (!isOne) left.push(part)
  }
  return left
}

/** How a file is read, but for what only some files show. */
const general = ({ options }: Looked): Looked['options'] =>
  Object.fromEntries(
    Object.entries(options).filter(([name]) => !SOME.some((other) => other === name)),
  )

interface Seen {
  group: Group
  part: Part
  /** Whether it is all of its group that has rows. */
  whole: boolean
  crawled: Crawled
  /** Names that others have. */
  taken: ReadonlySet<string>
}

async function tableOf(
  session: Session,
  { group, part, whole, crawled, taken }: Seen,
): Promise<FoundTable> {
  const { looks } = part
  const [first] = looks as [Looked]
  const name = datasetName(nameOf(group, part, first), taken)
  const paths = pathsOf(group, part, whole, crawled)
  const shown = paths.map(codeText)
  const list = shown.length === 1 ? shown[0] : `[${shown.join(', ')}]`
  const options = codeOptions(first.options as Readonly<Record<string, unknown>>)
  const isAll = part.unseen.length === 0
  const complete = isAll && looks.every((look) => look.complete)
  const { sql: relation, columns: names } = rowsOf(session, looks)
  const natives = new Map(looks.flatMap((look) => [...look.natives]))
  const untyped = names.map((name) => {
    const said = looks.flatMap(({ natives }) => natives.get(name) ?? [])
    const native = new Set(said).size > 1 ? undefined : natives.get(name)
    const isFolder = !natives.has(name) && isOfFolder(name, group)
    return { name, ...(isFolder ? { native: 'VARCHAR' } : native ? { native } : {}) }
  })
  const found = await inferColumns(session, relation, untyped, complete)
  const columns = found.columns.map((column) =>
    isOfFolder(column.name, group) && mayBeNone(column.name, group)
      ? { ...column, nullable: true }
      : column,
  )
  const counts = looks.map(({ rows }) => rows)
  const isKnown = isAll && counts.every((n) => n !== null)
  return {
    name,
    at: paths.map(withoutSettings).join(', '),
    from: `files(${list}${options === '' ? '' : `, ${options}`})`,
    rows: isKnown ? counts.reduce<number>((a, b) => a + (b ?? 0), 0) : null,
    columns: columns.map(({ native, ...column }) =>
      native === undefined || isOfFolder(column.name, group) ? column : { ...column, native },
    ),
    key: complete ? await inferKey(session, relation, { name, columns, rows: found.rows }) : [],
    ...(complete ? {} : { sampled: sampledText(part) }),
  }
}

function sampledText({ files, looks, unseen }: Part) {
  const cut = looks.filter((look) => !look.complete).length
  return [
    ...(unseen.length > 0 ? [`${files.length} of ${files.length + unseen.length} files`] : []),
    ...(cut > 0 ? [`the start of ${cut === 1 ? 'a large file' : `${cut} large files`}`] : []),
  ].join(', and ')
}

/** The rows of all files, and their columns, called as a run calls them. */
function rowsOf(session: Session, looks: readonly Looked[]): { sql: string; columns: string[] } {
  const taken = looks.map(({ taken }) => taken)
  const all = columnsOf(taken)
  const files = namesInBatch(taken, all)
  const together = { columns: all, files }
  const naming = Naming.of([together])
  const columns = naming?.columnsOf([together]) ?? all
  const selects = taken.map(({ location, columns: own, clean }, i) => {
    const made = new Map(Object.entries(naming?.madeOf(together, files[i] ?? {}) ?? {}))
    const has = new Set(own.map((name) => name.toLowerCase()))
    const list = columns.flatMap((name) => {
      const from = made.get(name)
      if (!from) return has.has(name.toLowerCase()) ? [quoteName(name)] : []
      const sql =
        from.length > 0 ? `coalesce(${from.map(quoteName).join(', ')})` : 'CAST(NULL AS VARCHAR)'
      return [`${sql} AS ${quoteName(name)}`]
    })
    const good = clean ? '' : ' WHERE _error IS NULL'
    return `SELECT ${list.join(', ')} FROM ${session.files.parquet(location)}${good}`
  })
  return { sql: `(${session.dialect.rows.union(selects)})`, columns }
}

const isOfFolder = (column: string, { hive, files }: Group) =>
  hive.length > 0 &&
  folderValues(files[0] as string).some(
    ([name]) => column === name || column.replace(/_\d+$/, '') === name,
  )

/** Whether some files lie in the folder of what has no value. */
const mayBeNone = (column: string, { files }: Group) =>
  files.some((file) =>
    folderValues(file).some(([name, value]) => column.startsWith(name) && value === null),
  )

/** Settings of buckets say how to get there, not what is there. */
const withoutSettings = (path: string) => path.replace(/\?[a-zA-Z]+=.*$/, '')

const SPECIAL = /[*?[\]{}()!+@]/
/** What makes a pattern even of a folder that is there under this name. */
const PATTERN = /[*?{]/

/** The paths of a table: a pattern where all that it matches is part of it, otherwise its files. */
function pathsOf(group: Group, part: Part, whole: boolean, { base, spell }: Crawled): string[] {
  const { folder, ending, hive } = group
  const plain = (path: string) => relative(base, path).split(sep).join('/') || '.'
  const has = new Set([...part.files, ...part.unseen])
  const files = group.files.filter((file) => has.has(file))
  const own = files.map((file) => spell(plain(file)))
  const isSingle = group.files.length === 1 && hive.length === 0
  const inside = plain(folder)
  if (
    isSingle ||
    PATTERN.test(inside) ||
    SPECIAL.test(hive.join('')) ||
    (!whole && files.length <= LISTED)
  )
    return own
  const packed = new Set(files.map((file) => /\.(gz|zst)$/i.exec(file)?.[0] ?? ''))
  const more = [...packed].filter(Boolean)
  const tail = packed.has('') ? (more.length > 0 ? `{,${more.join(',')}}` : '') : more[0]
  if (!packed.has('') && more.length > 1) return own
  const start = ending === '' || !whole ? startOf(files) : ''
  const isOther = (file: string) => !has.has(file) && basename(file).startsWith(start)
  if (!whole && group.files.some(isOther)) return own
  return [spell(`${inside}/${hive.map((key) => `${key}=*/`).join('')}${start}*${ending}${tail}`)]
}

/** What the names of files begin with, where no ending tells them from others. */
function startOf(files: readonly string[]): string {
  const shared = sharedStart(files.map((file) => basename(file).replace(/\.(gz|zst)$/i, '')))
  const plain = shared.replace(/\d+$/, '')
  return SPECIAL.test(plain) ? '' : plain
}

function sharedStart([first = '', ...others]: readonly string[]): string {
  let length = first.length
  while (!others.every((name) => name.startsWith(first.slice(0, length)))) length--
  return first.slice(0, length)
}

/** Names of files that say nothing of what is in them: those that jobs give, and numbers. */
const NOTHING =
  /^((part|data|file|export|output|chunk|batch|page|run|attempt)s?([-_. ]?[\da-f-]*)?|[\d_.-]*)$/i
const JOB = /^(part-|[\d_.-]*$)/i

/** What the names of a table's files have in common, or else the name of their folder. */
function nameOf({ folder, hive }: Group, part: Part, { sheet, stem }: Looked): string {
  const names = [...part.files, ...part.unseen].map(stemOf)
  const isSingle = names.length === 1 && hive.length === 0
  const shared = isSingle ? (names[0] ?? stem) : sharedStart(names).replace(/[\d_.-]+$/, '')
  const saysNothing = isSingle ? JOB.test(shared) : NOTHING.test(shared) || shared.length <= 2
  return (saysNothing ? basename(folder) : shared) + (sheet === undefined ? '' : `_${sheet}`)
}

/**
 * Whether two files are parts of one table: they are called alike, read alike, and have most of
 * their columns in common.
 */
function alike(a: Looked, b: Looked): boolean {
  const options = [a, b].map(({ options }) => JSON.stringify(options))
  if (options[0] !== options[1] || a.natives.size > 0 !== b.natives.size > 0) return false
  if (!related(a.stem, b.stem)) return false
  const [x, y] = [a, b].map(({ taken }) => taken.columns.map((name) => name.toLowerCase())) as [
    string[],
    string[],
  ]
  const common = x.filter((name) => y.includes(name)).length
  return common * 2 >= Math.max(x.length, y.length)
}

/** `orders_jan` and `orders_feb`, or names that are nothing but numbers. */
function related(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => text.toLowerCase())
  if (x === y || !/[a-z]/.test(`${x}${y}`)) return true
  return x?.slice(0, 3) === y?.slice(0, 3) && /^[a-z]{3}/.test(x ?? '')
}
