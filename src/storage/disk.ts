import { statfsSync } from 'node:fs'
import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Bytes of a disk that are free for who runs this process, and all that it has. */
export interface Disk {
  free: number
  size: number
}

/** The disk that a folder lies on, or will lie on; `undefined` where the system does not say. */
export function diskOf(folder: string): Disk | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder)
    return { free: bavail * bsize, size: blocks * bsize }
  } catch (error) {
    const above = dirname(folder)
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return isMissing && above !== folder ? diskOf(above) : undefined
  }
}

/**
 * Bytes of a disk that stay free for others, whatever does not fit into memory: a twentieth of it,
 * and at most 1 GiB.
 */
export function reserveOf({ size }: Disk): number {
  return Math.min(2 ** 30, Math.floor(size / 20))
}

/**
 * Bytes that stay free when a lake is written: less, as what is written is what the disk is there
 * for.
 */
export function lastOf({ size }: Disk): number {
  return Math.min(2 ** 28, Math.floor(size / 50))
}

/**
 * Bytes that one engine may use for what does not fit into memory: half of what is free, and never
 * the reserve.
 */
export function roomToSpill(disk: Disk | undefined): number | undefined {
  if (!disk) return undefined
  return Math.max(0, Math.min(Math.floor(disk.free / 2), disk.free - reserveOf(disk)))
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/**
 * Makes a folder and those that lead to it. Node's own recursive mkdir never ends where a folder
 * exists and nothing can be made in it (`/proc`), and says of a read-only file system only that
 * nothing is there.
 *
 * @param top must be there already, and is not made.
 * @param mode of the folders that are made; what the system gives them otherwise.
 */
export async function makeFolder(path: string, top?: string, mode?: number): Promise<void> {
  if (path === top) return void (await stat(top))
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || parent === top || parent === path) throw error
    if (await isThere(parent)) await access(parent, constants.W_OK)
    else await makeFolder(parent, top, mode)
    // Somebody else may have made it meanwhile.
    await mkdir(path, { mode }).catch((again) => {
      if (codeOf(again) !== 'EEXIST') throw again
    })
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
