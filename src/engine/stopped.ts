import { sizeText } from '../define/size.js'
import { MoraineError } from '../errors.js'

/** A statement that was stopped as the process holds more memory than it should. */
export class MemoryExcess extends MoraineError {
  constructor(bytes: number) {
    super(
      'engine',
      `Out of memory: ${sizeText(bytes)} are in use, and the computation needs more`,
      {
        hint: 'Lists and strings built from very many values must fit into memory: aggregate or filter earlier, or allow more with --memory.',
      },
    )
  }
}

/** A statement that was stopped, or not begun, as the disk with a folder is nearly full. */
export class DiskFull extends MoraineError {
  /** @param full the folder, and the bytes that are free. */
  constructor({ folder, free }: { folder: string; free: number }) {
    super(
      'storage',
      `The disk with ${folder} is nearly full: the last ${sizeText(free)} are left to other programs`,
      { hint: 'Free some space and try again.' },
    )
  }
}

/** Whether a statement was stopped by us, and not by the engine. */
export function wasStopped(error: unknown): boolean {
  return error instanceof DiskFull || error instanceof MemoryExcess
}
