import { VACUUMED } from '../../log/format/folders.js'

/** What every lake has in its folder. */
const MARK = '_moraine'

/** Where lakes have what they write: tables, batches, archived originals, results of parts. */
const FOLDERS: ReadonlySet<string> = new Set([
  ...VACUUMED.map((folder) => folder.slice(0, -1)),
  'archive',
])

/**
 * Of what is directly in a folder, the folders that hold what a lake has written itself: nobody who
 * looks for files means those. Whoever names one of them has it.
 */
export function foldersOfLake(names: readonly string[]): readonly string[] {
  return names.includes(MARK) ? names.filter((name) => FOLDERS.has(name)) : []
}

/** The same of keys in a bucket: whether one was written by a lake that is among them. */
export function writtenByLakes(keys: readonly string[]): (key: string) => boolean {
  const roots = new Set(
    keys.flatMap((key) => {
      const found = /^(|.*?\/)_moraine\//.exec(key)
      return found ? [found[1] as string] : []
    }),
  )
  const written = [...roots].flatMap((root) => [...FOLDERS].map((folder) => `${root}${folder}/`))
  return (key) => written.some((folder) => key.startsWith(folder))
}
