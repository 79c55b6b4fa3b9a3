/** What every lake has in its folder. */
const MARK = '_moraine'

/** Where lakes have the files of their tables and batches. */
const FOLDERS: ReadonlySet<string> = new Set([
  'bronze',
  'silver',
  'gold',
  'history',
  'discarded',
  'deleted',
  'tombstones',
  'external',
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
      const at = key.indexOf(`${MARK}/`)
      return at === 0 || key[at - 1] === '/' ? [key.slice(0, at)] : []
    }),
  )
  const written = [...roots].flatMap((root) => [...FOLDERS].map((folder) => `${root}${folder}/`))
  return (key) => written.some((folder) => key.startsWith(folder))
}
