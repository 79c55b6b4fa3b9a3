import type { SourceFile } from '../../source/discover.js'

/** A place where files are dropped. */
export interface Drop {
  /** The files that are complete, and how many are not yet. */
  look(): Promise<{ ready: SourceFile[]; unfinished: number }>
  /** Takes a file so that nobody else does; `undefined` when it is gone. */
  claim(file: SourceFile): Promise<SourceFile | undefined>
  /** Removes what was taken in; where that is not safe it is left, and known by its name, size and time. */
  remove(file: SourceFile): Promise<void>
}

/** Names of files that are being written, by what writes them. */
const UNFINISHED = /(^\.|~$|\.(part|partial|tmp|temp|crdownload|filepart|swp)$)/i

/** Whether a file is meant to be seen yet. */
export const isMeant = (name: string): boolean => !UNFINISHED.test(name)
