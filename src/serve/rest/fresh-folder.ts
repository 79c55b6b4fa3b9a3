/** A folder for a table or view in which no other one lies or has lain. */
export const freshFolder = (base: string, id: string) =>
  `${base}-${id.replaceAll('-', '').slice(0, 12)}`

/** The folder that was made up so which a path is in, or is; `undefined` where it is in none. */
export function freshFolderOf(path: string, base: string): string | undefined {
  const begin = `${base}-`
  const [id] = /^[0-9a-f]{12}(?=\/|$)/.exec(path.slice(begin.length)) ?? []
  return path.startsWith(begin) && id !== undefined ? begin + id : undefined
}
