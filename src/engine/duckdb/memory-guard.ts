import { writeSync } from 'node:fs'
import { sizeText } from '../../define/size.js'
import { machineMemory } from '../../process/memory.js'
import { removeScratch } from '../../storage/scratch.js'
import { MemoryExcess } from '../stopped.js'

/** What a guard does at the end, and where it looks. */
export interface MemoryEffects {
  held(): number
  end(message: string): void
}

const realEffects: MemoryEffects = {
  held: () => process.memoryUsage.rss(),
  end: (message) => {
    writeSync(2, message)
    removeScratch()
    process.kill(process.pid, 'SIGKILL')
  },
}

/**
 * Looks at the memory of the whole process, as the engine's own limit does not count what functions
 * and lists take. The system would end the process without a word, and perhaps others before it.
 */
export class MemoryGuard {
  constructor(
    /**
     * Bytes from which on statements are stopped, and from which on the process ends, as one can't
     * be stopped.
     */
    private readonly stop: number,
    private readonly last: number,
    private readonly effects: MemoryEffects = realEffects,
  ) {}

  /**
   * For a process that should stay within so many bytes; without a number, for one that has the
   * machine to itself. What an engine does not count (up to 80 MiB a thread) is no reason to stop.
   */
  static within(bytes?: number): MemoryGuard {
    const machine = machineMemory()
    const stop = bytes === undefined ? Number.POSITIVE_INFINITY : bytes * 1.5 + 2 ** 29
    return new MemoryGuard(Math.min(stop, machine * 0.9), Math.min(stop * 1.5, machine * 0.95))
  }

  /**
   * Why statements are to be stopped. Where that does not help, the process ends: a lake is then as
   * it was before, or after.
   */
  excess(): MemoryExcess | undefined {
    const held = this.effects.held()
    if (held > this.last)
      this.effects.end(
        `✖ Moraine stopped: it used ${sizeText(held)} of memory, and its computation could not be interrupted. Allow more with --memory, or look for lists and strings built from very many values.\n`,
      )
    return held > this.stop ? new MemoryExcess(held) : undefined
  }
}
