import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { MoraineError } from '../../errors.js'
import { atWork } from '../../process/end-now.js'
import { diskOf, lastOf, reserveOf } from '../../storage/disk.js'
import { DiskFull } from '../stopped.js'
import type { MemoryGuard } from './memory-guard.js'

/** Milliseconds between two looks at the disk. */
const PAUSE = 200

/** A folder whose disk is nearly full, and the bytes that are free. */
interface Full {
  folder: string
  free: number
}

/**
 * Stops statements before they fill a disk to its last byte, by what they write or by what does not
 * fit into memory, and before they take all memory.
 */
export class StatementGuard {
  constructor(
    /** The folder for what does not fit into memory. */
    private readonly spills: string,
    private readonly disk = diskOf,
    private readonly memory?: MemoryGuard,
  ) {}

  /**
   * @param to what is written, if anything.
   * @throws DiskFull, or MemoryExcess.
   */
  async during<T>(
    interrupt: () => void,
    to: string | undefined,
    use: () => Promise<T>,
  ): Promise<T> {
    const full = this.writing(to)
    if (full) throw new DiskFull(full)
    let stopped: MoraineError | undefined
    const timer = setInterval(() => {
      stopped ??= this.reason(to)
      if (stopped) interrupt()
    }, PAUSE)
    timer.unref()
    try {
      return await atWork(use)
    } catch (cause) {
      throw stopped ?? cause
    } finally {
      clearInterval(timer)
    }
  }

  private reason(to: string | undefined): MoraineError | undefined {
    const full = this.writing(to) ?? this.spilling()
    return full ? new DiskFull(full) : this.memory?.excess()
  }

  private writing(to: string | undefined): Full | undefined {
    if (to === undefined) return undefined
    const folder = dirname(to)
    const disk = this.disk(folder)
    return disk && disk.free < lastOf(disk) ? { folder, free: disk.free } : undefined
  }

  private spilling(): Full | undefined {
    const folder = this.spills
    const disk = this.disk(folder)
    if (!disk || disk.free >= reserveOf(disk)) return undefined
    // What has spilled nothing takes no room from anybody.
    return readdirSync(folder).length > 0 ? { folder: dirname(folder), free: disk.free } : undefined
  }
}
