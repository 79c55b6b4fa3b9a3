import { stat } from 'node:fs/promises'
import { dirname, extname, join, relative, sep } from 'node:path'
import { MoraineError } from '../../errors.js'
import { isNoData, skippedName, skippedNote } from '../../source/files/folders.js'
import { notText, Walk } from '../../source/files/walk.js'

/** Files that one crawl looks through. */
export const MOST = 100_000

/** What projects hold beside data. */
const NO_DATA =
  /^(node_modules|thumbs\.db|desktop\.ini|package(-lock)?\.json|tsconfig.*\.json|.*\.(md|rst|[cm]?[jt]sx?|py|sh|sql|ya?ml|toml|ini|lock|html?|css))$/i

/** Whether a file is not meant to be seen, by its path. */
export const isHidden = (inside: string) =>
  isNoData(inside.split(sep).join('/')) || inside.split(sep).some((name) => NO_DATA.test(name))

/**
 * The files in a folder and below, as a run finds them; what is passed over is told.
 *
 * @throws MoraineError of kind `source` when there is nothing at the path.
 */
export async function filesBelow(path: string, notes: string[]): Promise<string[]> {
  const there = await stat(path).catch(() => undefined)
  if (there?.isFile()) return [path]
  if (!there)
    throw new MoraineError('source', `${path} does not exist`, { hint: 'Check the path.' })
  const walk = await Walk.in(path, (at) => relative(path, at) || at)
  const found: string[] = []
  const folders = [path]
  const skipped: string[] = []
  while (folders.length > 0 && found.length < MOST) {
    const entries = await walk.read(folders.pop() as string)
    // A lake is no source of itself.
    if (entries.some(({ name }) => name === '_moraine')) continue
    for (const { path: file, kind, bytes } of entries) {
      const inside = relative(path, file)
      if (isHidden(inside)) {
        const skip = skippedName(inside.split(sep).join('/') + (kind === 'folder' ? '/' : ''))
        if (skip !== undefined) skipped.push(skip)
        continue
      }
      if (kind === 'folder') folders.push(file)
      else if (bytes) walk.notes.push(notText(relative(path, file)))
      else if (walk.accept(file)) found.push(file)
    }
  }
  notes.push(...walk.notes, ...skippedNote(skipped))
  if (found.length >= MOST)
    notes.push(`there are more than ${MOST} files; only the first ${MOST} were examined`)
  return (await walk.once(found.slice(0, MOST))).sort()
}

/** Files of one folder and one ending. */
export interface Group {
  folder: string
  /** With its dot; `''` where names have none. */
  ending: string
  files: string[]
  /** Names in folders such as `day=5`. */
  hive: string[]
}

/** The ending of a file's name, whatever it is packed into. */
const endingOfFile = (file: string) => {
  const found = extname(file.replace(/\.(gz|zst)$/i, ''))
  return /^\.[a-z]\w*$/i.test(found) ? found : ''
}

/** Files by folder and ending; folders such as `day=2026-01-01` are one. */
export function groupsOf(root: string, files: readonly string[]): Group[] {
  const groups = new Map<string, Group>()
  for (const file of files) {
    const parts = relative(root, dirname(file)).split(sep).filter(Boolean)
    const from = parts.findIndex((part) => part.indexOf('=') > 0)
    const plain = from < 0 ? parts : parts.slice(0, from)
    const below = from < 0 ? [] : parts.slice(from)
    const isHive = below.every((part) => part.indexOf('=') > 0)
    const hive = isHive ? below.map((part) => part.slice(0, part.indexOf('='))) : []
    const folder = join(root, ...plain, ...(isHive ? [] : below))
    const ending = endingOfFile(file)
    const key = JSON.stringify([folder, ending, hive])
    const group = groups.get(key) ?? { folder, ending, files: [], hive }
    group.files.push(file)
    groups.set(key, group)
  }
  return [...groups.values()]
}
