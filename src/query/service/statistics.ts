import { readFile } from 'node:fs/promises'
import type { QueryStatistics } from './request.js'

export const noStatistics = (): QueryStatistics => ({
  bytesEstimated: 0,
  bytesRead: 0,
  rows: 0,
  queuedMs: 0,
  runMs: 0,
  price: 0,
  reused: false,
})

/**
 * Bytes that a process has read so far, of files and buckets; `undefined` where the system does not
 * tell (it does on Linux, see proc_pid_io(5)).
 */
export async function bytesReadBy(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined
  const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '')
  const found = /^rchar: (\d+)$/m.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
