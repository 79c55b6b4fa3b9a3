import type { Storage } from '../../storage/storage.js'

/** Entries that are asked for at once, and how far a reader looks beyond a missing one at least. */
export const AHEAD = 8
/** Entries whose names share all but the last digits: one listing. */
const BLOCK = 100
const DIGITS = 20

/** Where commit `number` of a branch lies. */
export function entryPath(folder: string, number: number): string {
  return `${folder}/${String(number).padStart(DIGITS, '0')}.json`
}

/** The number of the commit that an object holds; `undefined` for objects of another kind. */
function numberIn(path: string): number | undefined {
  const name = /\/(\d+)\.json$/.exec(path)?.[1]
  return name === undefined ? undefined : Number(name)
}

async function listed(storage: Storage, prefix: string): Promise<number[]> {
  const objects = await storage.list(prefix)
  return objects.map(({ path }) => numberIn(path)).filter((number) => number !== undefined)
}

/**
 * The first commit after `number` that something tells of: a listing of the names around it, or a
 * checkpoint. `undefined` when nothing does.
 */
export async function firstAfter(
  storage: Storage,
  folder: string,
  number: number,
  checkpoints: readonly number[],
): Promise<number | undefined> {
  const blocks = new Set([number + 1, number + AHEAD].map((n) => Math.floor(n / BLOCK)))
  const nearby = [...blocks].map((block) =>
    listed(storage, `${folder}/${String(block).padStart(DIGITS - 2, '0')}`),
  )
  const later = [...(await Promise.all(nearby)).flat(), ...checkpoints].filter((n) => n > number)
  return later.length > 0 ? Math.min(...later) : undefined
}

/** The entries that are missing after `first` and before the last one that something tells of. */
export async function missingEntries(
  storage: Storage,
  folder: string,
  first: number,
  checkpoints: readonly number[],
): Promise<string[]> {
  const there = new Set(await listed(storage, `${folder}/`))
  const last = Math.max(first, checkpoints[0] ?? 0, [...there].at(-1) ?? 0)
  const numbers = Array.from({ length: last - first }, (_, i) => first + i + 1)
  return numbers.filter((number) => !there.has(number)).map((number) => entryPath(folder, number))
}

/** Whether a branch has a commit of its own with that number. */
export async function hasEntry(storage: Storage, branch: string, number: number): Promise<boolean> {
  return (await storage.stat(entryPath(`_moraine/log/${branch}`, number))) !== undefined
}
