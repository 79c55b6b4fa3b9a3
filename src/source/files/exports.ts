import { posix } from 'node:path'
import type { FullExports } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { SourceFile } from './source-file.js'

/** Files that hold all rows that there are, together. */
export interface FullExport {
  /** What tells it from others: a file, a folder, or what a pattern finds in names. */
  name: string
  /** In order of their names. */
  files: SourceFile[]
  /** The newest time of its files, in milliseconds since 1970. */
  modified: number
}

/** The exports that files make up, the oldest first. */
export function exportsOf(files: readonly SourceFile[], { by, newest }: FullExports): FullExport[] {
  const found = new Map<string, FullExport>()
  for (const file of files) {
    const name = exportName(file.name, by)
    const same = found.get(name) ?? { name, files: [], modified: 0 }
    same.files.push(file)
    same.modified = Math.max(same.modified, file.modified)
    found.set(name, same)
  }
  return [...found.values()].sort((a, b) => compareExports(a, b, newest))
}

/** Below zero where the first is the older one. */
export function compareExports(
  a: Pick<FullExport, 'name' | 'modified'>,
  b: Pick<FullExport, 'name' | 'modified'>,
  newest: FullExports['newest'],
): number {
  const byTime = newest === 'modified' ? a.modified - b.modified : 0
  return byTime || compareNames(a.name, b.name)
}

function exportName(file: string, by: FullExports['by']): string {
  if (by === 'file') return file
  if (by === 'folder') return posix.dirname(file)
  const [all, group] = file.match(new RegExp(by.source, by.flags.replace(/[gy]/g, ''))) ?? []
  const name = group ?? all
  if (name !== undefined && name !== '') return name
  throw new MoraineError(
    'source',
    `${file}: ${by} matches nothing in its name, so it is unclear which extract it belongs to`,
    {
      hint: 'Nothing was ingested. Check full: { by } of files(), or exclude the file by its path.',
    },
  )
}

/** Names in the order in which people count: `export-9` comes before `export-10`. */
export function compareNames(a: string, b: string): number {
  const [parts, others] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? [])
  for (const [i, part] of (parts ?? []).entries()) {
    const other = others?.[i]
    if (other === undefined) return 1
    const difference =
      /^\d/.test(part) && /^\d/.test(other)
        ? compareDigits(part, other)
        : part < other
          ? -1
          : part > other
            ? 1
            : 0
    if (difference !== 0) return difference
  }
  return (parts?.length ?? 0) < (others?.length ?? 0) ? -1 : a < b ? -1 : a > b ? 1 : 0
}

function compareDigits(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)]
  return x < y ? -1 : x > y ? 1 : 0
}
