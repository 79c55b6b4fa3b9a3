import { diskOf, reserveOf } from '../storage/disk.js'
import { excessError, limitsOf } from './limits.js'

/** Bytes after which it is looked at the disk again. */
const STEP = 16 * 2 ** 20

/** Watches over the disk that results are written to, so that others have room on it as well. */
export class DiskRoom {
  private left = 0

  constructor(
    private readonly folder: string,
    private readonly disk: typeof diskOf = diskOf,
  ) {}

  /**
   * Asks for room for what is written next.
   *
   * @throws MoraineError of kind `limit` where the disk would be nearly full.
   */
  take(bytes: number): void {
    this.left -= bytes
    if (this.left >= 0) return
    const disk = this.disk(this.folder)
    const step = Math.max(STEP, bytes)
    if (disk && disk.free - step < reserveOf(disk)) throw excessError('disk', limitsOf())
    this.left = step - bytes
  }
}
