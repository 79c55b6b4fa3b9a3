import { statfsSync } from 'node:fs'

/** Bytes of a disk that are free for who runs this process, and all that it has. */
export interface Disk {
  free: number
  size: number
}

/** The disk that a folder lies on; `undefined` where the system does not say. */
export function diskOf(folder: string): Disk | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder)
    return { free: bavail * bsize, size: blocks * bsize }
  } catch {
    return undefined
  }
}

/** Bytes of a disk that stay free for others, whatever is done: a twentieth of it, and at most 1 GiB. */
export function reserveOf({ size }: Disk): number {
  return Math.min(2 ** 30, Math.floor(size / 20))
}

/** Bytes that one engine may use for what does not fit into memory: half of what is free, and never the reserve. */
export function roomToSpill(disk: Disk | undefined): number | undefined {
  if (!disk) return undefined
  return Math.max(0, Math.min(Math.floor(disk.free / 2), disk.free - reserveOf(disk)))
}
