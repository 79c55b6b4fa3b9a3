import type { SourceFile } from '../../source/files/source-file.js'

/** What is in an inbox. */
export interface Look {
  /** The files that are complete. */
  ready: SourceFile[]
  /** How many are not yet. */
  unfinished: number
  /** What lies there and is left alone, and why. */
  notes: string[]
}

/** A place where files are dropped. */
export interface Inbox {
  look(): Promise<Look>
  /** Takes a file so that nobody else does; `undefined` when it is gone. */
  claim(file: SourceFile): Promise<SourceFile | undefined>
  /**
   * Removes what was taken in; where that is not safe it is left, and known by its name, size and
   * time.
   */
  remove(file: SourceFile): Promise<void>
}

/** Names of files that are being written, by what writes them. */
const UNFINISHED = /(^\.|~$|\.(part|partial|tmp|temp|crdownload|filepart|swp)$)/i

/** Whether a file is meant to be seen yet. */
export const isMeant = (name: string): boolean => !UNFINISHED.test(name)
