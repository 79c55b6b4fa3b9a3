import { statSync } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, normalize, relative, resolve, sep } from 'node:path'
import { glob } from 'tinyglobby'
import type { FilesSource } from '../../define/source.js'
import { MoraineError, messageOf } from '../../errors.js'
import { entriesOf, isZip } from '../unpack/archive.js'
import { objectsOf } from './bucket.js'
import { isInNoData, isNoData, skippedName, skippedNote } from './folders.js'
import type { SourceFile } from './source-file.js'
import { type Entry, leavesFolder, notText, Walk } from './walk.js'

/**
 * The files that a source offers, ordered by name. A path that exists is taken literally, so
 * `orders[1].csv` is a file; otherwise it is a glob. Of a zip the files in it are offered.
 *
 * @param notes what is passed over, and why: links that leave their folder, names that are no text
 *   or start with `_`.
 */
export async function discoverFiles(
  source: FilesSource,
  notes: string[] = [],
): Promise<SourceFile[]> {
  const skipped: string[] = []
  const remote = await Promise.all(
    source.paths.filter(isRemote).map((path) => objectsOf(path, skipped)),
  )
  const local = source.paths.filter((path) => !isRemote(path))
  const found = await Promise.all(local.map((path) => expand(path, source)))
  notes.push(...new Set(found.flatMap(({ notes }) => notes)))
  const all = [...new Set(found.flatMap(({ files }) => files))]
  const paths = found.some(({ linked }) => linked) ? await eachOnce(all) : all
  const files = paths.map((path) => describe(path, source)).filter((f) => f !== undefined)
  const offered = [...files, ...remote.flat()]
  skipped.push(...found.flatMap((of) => of.skipped ?? []))
  const also = source.paths.length > 1 ? namesOf(offered) : new Set<string>()
  notes.push(...skippedNote(skipped.filter((name) => !also.has(name))))
  const single = await Promise.all(
    offered.map((file) => (isZip(file.path) ? partsOf(file) : [file])),
  )
  return single.flat().sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Files and the folders that they lie in, with a `/`: one path may name what another skips. */
function namesOf(files: readonly SourceFile[]): Set<string> {
  const names = new Set<string>()
  for (const { name } of files) {
    names.add(name)
    let end = name.lastIndexOf('/')
    for (; end > 0 && !names.has(name.slice(0, end + 1)); end = name.lastIndexOf('/', end - 1))
      names.add(name.slice(0, end + 1))
  }
  return names
}

/** Files to which several names lead, under one of them: their own, where that is among them. */
async function eachOnce(paths: readonly string[]): Promise<string[]> {
  const found = new Map<string, string>()
  for (const path of paths) {
    const real = await realpath(path).catch(() => path)
    if (real === path || !found.has(real)) found.set(real, path)
  }
  return [...found.values()]
}

/**
 * The files in a zip; the zip itself where it can't be taken apart, which whoever takes it tells.
 */
function partsOf(file: SourceFile): Promise<SourceFile[]> {
  return entriesOf(file).catch((fault) => [{ ...file, fault }])
}

const isRemote = (path: string) => path.startsWith('s3://')

/** Where a source's paths start, for those who look at its files. */
type Base = Pick<FilesSource, 'base'>

interface Expanded {
  files: string[]
  notes: string[]
  /** A link leads to one of them. */
  linked?: boolean
  /** What is skipped for its name; folders end with a `/`. */
  skipped?: string[]
}

async function expand(given: string, source: Base): Promise<Expanded> {
  const path = resolve(source.base, given)
  const show = (at: string) => nameOf(at, source)
  const there = await stat(path).catch((error) => noneAt(path, error))
  if (there?.isFile()) return single(path, show)
  if (there?.isDirectory()) {
    const walk = await Walk.in(path, show)
    const skipped: string[] = []
    const found = await walk.files((inside, kind) => {
      if (!isNoData(inside)) return true
      const name = skippedName(kind === 'folder' ? `${inside}/` : inside)
      if (name !== undefined) skipped.push(shownIn(show(path), name))
      return false
    })
    return { files: named(found, walk, show), notes: walk.notes, linked: walk.hasLinks, skipped }
  }
  const { root, pattern } = await splitGlob(given, source)
  if (pattern === '') return { files: [], notes: [] }
  const walk = await Walk.in(root, show)
  const unnamed = new Set<string>()
  const all = await glob(pattern, {
    cwd: root,
    absolute: true,
    onlyFiles: true,
    expandDirectories: false,
    fs: { readdir: folderReader(walk, unnamed) as never },
  })
  const skipped: string[] = []
  const meant = all.filter((file) => {
    const inside = relative(root, file).split(sep).join('/')
    if (!isInNoData(inside, pattern)) return walk.accept(file)
    const name = skippedName(inside)
    if (name !== undefined) skipped.push(shownIn(show(root), name))
    return false
  })
  const found = meant.filter((file) => !unnamed.has(file))
  const passed = meant.filter((file) => unnamed.has(file)).map((file) => notText(show(file)))
  const notes = [...walk.notes, ...passed]
  return { files: await walk.once(found), notes, linked: walk.hasLinks, skipped }
}

/** The name of something in a folder; that of the project is not said. */
const shownIn = (folder: string, name: string) => (folder === '' ? name : `${folder}/${name}`)

/**
 * A pattern is no file, and nor is what is not there; of what can't be looked at nobody may say
 * that it is not.
 */
function noneAt(path: string, error: NodeJS.ErrnoException): undefined {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EINVAL'].includes(error.code ?? '')) return undefined
  throw new MoraineError('source', `Can't read the folder ${path}: ${messageOf(error)}`, {
    cause: error,
  })
}

/** A file that is named; where that is a link, its own folder is the one that it may not leave. */
async function single(path: string, show: (path: string) => string): Promise<Expanded> {
  const folder = dirname(path)
  const [file, real] = await Promise.all([realpath(path), realpath(folder)]).catch(() => [])
  if (file === undefined || real === undefined) return { files: [], notes: [] }
  if (file.startsWith(real === sep ? sep : real + sep))
    return { files: [path], notes: [], linked: file !== join(real, basename(path)) }
  const where = show(folder)
  return { files: [], notes: [leavesFolder(show(path), where)] }
}

/** Nobody can name a file whose name is no text. */
function named(
  entries: readonly Entry[],
  { notes }: Walk,
  show: (path: string) => string,
): string[] {
  return entries.flatMap(({ path, bytes }) => {
    if (!bytes) return [path]
    notes.push(notText(show(path)))
    return []
  })
}

/** What a glob sees of what is in a folder. */
class Shown {
  constructor(
    readonly name: string,
    private readonly isFolder: boolean,
  ) {}

  isFile(): boolean {
    return !this.isFolder
  }

  isDirectory(): boolean {
    return this.isFolder
  }

  isSymbolicLink(): boolean {
    return false
  }
}

/**
 * Lets a glob see folders by the rule of {@link Walk}; files whose names are no text are put into
 * `unnamed`.
 */
function folderReader(walk: Walk, unnamed: Set<string>) {
  return (
    path: string,
    _: unknown,
    done: (error: Error | null, entries: readonly object[]) => void,
  ): void => {
    const shown = ({ name, path, kind, bytes }: Entry) => {
      if (bytes) unnamed.add(path)
      return new Shown(name, kind === 'folder')
    }
    walk.read(path).then(
      (entries) => done(null, entries.map(shown)),
      (error) => done(error, []),
    )
  }
}

/**
 * The part of a glob that names a folder literally, and the rest. Whatever the project's own folder
 * is called is no pattern, nor is a folder that is there under a name with brackets.
 */
async function splitGlob(
  given: string,
  { base }: Base,
): Promise<{ root: string; pattern: string }> {
  const whole = resolve(base)
  const isInside = isAbsolute(given) && given.startsWith(whole + sep)
  const path = normalize(isInside ? given.slice(whole.length + 1) : given)
  const parts = path.split(sep)
  let root = isAbsolute(path) ? resolve(sep) : whole
  for (const [i, part] of parts.entries()) {
    const inside = isAbsolute(path) && i === 0 ? resolve(`${part}${sep}`) : resolve(root, part)
    if (/[*?]/.test(part) || (/[[\]{}()!+@]/.test(part) && !(await isFolder(inside))))
      return { root, pattern: parts.slice(i).join('/') }
    root = inside
  }
  return { root, pattern: '' }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

/**
 * Synchronously: of ten thousand files that takes a fifth of the time. Nothing of a file that is
 * gone.
 */
function describe(path: string, source: FilesSource): SourceFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return undefined
  const { size, mtimeMs } = found
  return { path, name: nameOf(path, source), size, modified: Math.floor(mtimeMs) }
}

function nameOf(path: string, { base }: Base): string {
  const inside = relative(base, path)
  const name = inside.startsWith('..') || isAbsolute(inside) ? path : inside
  return name.split(sep).join('/')
}

/**
 * What is to be said where a source offers nothing, or one of its paths does not.
 *
 * @throws MoraineError of kind `source` where the place itself is not there, or all that is there
 *   is called otherwise.
 */
export async function nothingThere(
  source: FilesSource,
  offered: readonly SourceFile[],
  known: number,
  notes: readonly string[] = [],
): Promise<string[]> {
  const local = source.paths.filter((path) => !isRemote(path))
  const looked = await Promise.all(
    local.map(async (path) => ({ path, looks: await lookAt(path, source) })),
  )
  if (offered.length === 0 && known === 0) throw nothingFound(source, notes)
  const gone = looked.filter(({ looks }) => looks !== 'there')
  if (offered.length > 0) return gone.length === 0 ? [] : [`there is no file at ${listed(gone)}`]
  if (gone.length === 0) return ['there are no files any more']
  const bad = gone.filter(({ looks }) => looks !== 'empty')
  if (bad.length === 0) return [`there is no file at ${listed(gone)} any more`]
  const { message } = nothingFound(source)
  throw new MoraineError('source', `${message} any more`, {
    hint: 'Files were ingested from there before, and their rows are still part of the lake. Was the folder moved, or the path changed? If files are removed after they have been read, keep the folder.',
  })
}

const listed = (gone: readonly { path: string }[]) => {
  const paths = gone.map(({ path }) => path)
  return [paths.slice(0, -1).join(', '), ...paths.slice(-1)].filter(Boolean).join(' or ')
}

/** Whether a path leads to files; where it does not, whether its folder is there, and empty. */
async function lookAt(given: string, source: Base): Promise<'there' | 'empty' | 'other' | 'gone'> {
  if ((await expand(given, source)).files.length > 0) return 'there'
  const path = resolve(source.base, given)
  const { root, pattern } = await splitGlob(given, source)
  const folder = pattern === '' ? dirname(path) : root
  const isThere = await isFolder(path)
  const names = await readdir(isThere ? path : folder).catch(() => undefined)
  if (!names) return 'gone'
  if (isThere) return 'empty'
  return names.some((name) => !name.startsWith('.')) ? 'other' : 'empty'
}

/** The error for a source that offers nothing. */
function nothingFound(source: FilesSource, notes: readonly string[] = []): MoraineError {
  const tried = source.paths
    .map((path) =>
      isRemote(path) ? path.replace(/\?[a-zA-Z]+=.*/, '') : resolve(source.base, path),
    )
    .join(', ')
  if (notes.length > 0)
    return new MoraineError('source', `There is no file at ${tried} that can be read`, {
      hint: `${notes.join('. ')}.`,
    })
  return new MoraineError('source', `There is no file at ${tried}`, {
    hint: 'Check the path passed to files(); relative paths start at the folder of the file that calls it.',
  })
}
