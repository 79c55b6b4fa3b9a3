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

/** What the objects of a lake in a bucket begin with that say it is one. */
export const markOf = (root: string): string => `${root}${MARK}/`

/** Whether keys that lie directly below a place would be a lake's own, if one is there. */
export const mayBeOfLake = (keys: readonly string[], root: string): boolean =>
  keys.some(
    (key) => key.startsWith(root) && FOLDERS.has(key.slice(root.length).split('/')[0] ?? ''),
  )

/**
 * The same of keys in a bucket: whether one was written by a lake that is among them.
 *
 * @param others where other lakes are.
 */
export function writtenByLakes(
  keys: readonly string[],
  others: readonly string[] = [],
): (key: string) => boolean {
  const roots = new Set([
    ...others,
    ...keys.flatMap((key) => {
      const found = /^(|.*?\/)_moraine\//.exec(key)
      return found ? [found[1] as string] : []
    }),
  ])
  const written = [...roots].flatMap((root) => [...FOLDERS].map((folder) => `${root}${folder}/`))
  return (key) => written.some((folder) => key.startsWith(folder))
}
