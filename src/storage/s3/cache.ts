import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { variable } from '../../settings.js'
import { makeFolder } from '../disk.js'

const units: Record<string, number> = { MiB: 2 ** 20, GiB: 2 ** 30, MB: 1e6, GB: 1e9 }
const DEFAULT_SIZE = 10 * 2 ** 30
/** What the name of the file beside a copy ends with that says how it was when it was checked. */
export const NOTE = '.moraine-sum'
/** Files that were used so lately may be in use. */
const LATELY = 3_600_000

/** The folder for copies of objects: MORAINE_CACHE, or one of the user's own. */
export function cacheFolder(): string {
  return variable('MORAINE_CACHE') ?? join(homedir(), '.cache', 'moraine')
}

/** Bytes that copies may take: MORAINE_CACHE_SIZE, or 10 GiB. */
export function cacheSize(text = variable('MORAINE_CACHE_SIZE')): number {
  const [, number, unit = ''] = /^(\d+)\s*([MG]i?B)$/.exec(text ?? '') ?? []
  return number === undefined ? DEFAULT_SIZE : Number(number) * (units[unit] as number)
}

/** Notes that a copy was used, so that it stays longer than others. */
export async function touch(file: string): Promise<void> {
  const now = new Date()
  await utimes(file, now, now).catch(() => {})
}

/** A folder of the cache: its copies are for nobody else on this machine. */
export const makeOwnFolder = (path: string) => makeFolder(path, undefined, 0o700)

/**
 * Removes the copies that were not used for longest, until all take no more than they may.
 *
 * @param lately milliseconds; what was used since then may be in use, and stays.
 */
export async function trim(
  folder: string,
  most: number,
  now = Date.now(),
  lately = LATELY,
): Promise<void> {
  await makeOwnFolder(folder)
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(NOTE))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        const found = await stat(path).catch(() => undefined)
        return { path, size: found?.size ?? 0, used: found?.mtimeMs ?? now }
      }),
  )
  let total = files.reduce((sum, { size }) => sum + size, 0)
  for (const { path, size, used } of files.sort((a, b) => a.used - b.used)) {
    if (total <= most || now - used < lately) return
    await rm(path, { force: true })
    await rm(path + NOTE, { force: true })
    total -= size
  }
}

/** The same between two runs of a process that nobody shares its disk with: nothing is in use. */
export const trimUnused = (): Promise<void> =>
  trim(join(cacheFolder(), 's3'), cacheSize(), Date.now(), 0)
