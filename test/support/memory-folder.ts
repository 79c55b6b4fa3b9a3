import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning } from './processes.js'

const MEMORY = '/dev/shm'
const NAME = /^moraine-tests-(\d+)$/
/** Bytes that have to be free there, and of memory at all. */
const ROOM = 4 * 2 ** 30
const FREE = 6 * 2 ** 30

/**
 * Where temporary folders of tests lie on Linux, if it has the room: in memory, as a disk has tests
 * wait for each sync of a file. `undefined` otherwise, and where TMPDIR says another place. A kill
 * leaves the same files in both.
 */
export function memoryFolder(): string | undefined {
  if (process.env.TMPDIR || !existsSync(MEMORY)) return undefined
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize < ROOM || process.availableMemory() < FREE) return undefined
  return join(MEMORY, `moraine-tests-${process.pid}`)
}

/** Makes it, and removes those of tests that were killed; returns what removes it again. */
export function openMemoryFolder(folder: string): () => void {
  for (const name of readdirSync(MEMORY)) {
    const [, pid] = NAME.exec(name) ?? []
    if (pid && !isRunning(Number(pid))) rmSync(join(MEMORY, name), { recursive: true, force: true })
  }
  mkdirSync(folder, { mode: 0o755, recursive: true })
  return () => rmSync(folder, { recursive: true, force: true })
}
