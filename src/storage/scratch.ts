import { readdirSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '../home.js'
import { isAlive, pidSpace } from './alive.js'

const space = pidSpace || '0'

let isSwept = false

/**
 * A new folder among the system's temporary ones. Who asks for it removes it; what a process that
 * was killed could not remove goes when another one asks.
 */
export async function scratchFolder(what: string): Promise<string> {
  if (!isSwept) sweep(tmpdir()).catch(() => {})
  isSwept = true
  return mkdtemp(join(temporaryFolder(), `moraine-${what}-${space}-${process.pid}-`))
}

/** Removes the folders of processes that are not there any more. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, of, pid] = /^moraine-[a-z]+-(\d+)-(\d+)-\w+$/.exec(name) ?? []
    if (of !== space || pid === undefined || isAlive(Number(pid))) continue
    // Another one's, or somebody else is at it.
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
}

/** Removes the folders of this process, which is about to end. */
export function removeScratch(folder = tmpdir()): void {
  const own = new RegExp(`^moraine-[a-z]+-${space}-${process.pid}-\\w+$`)
  try {
    for (const name of readdirSync(folder))
      if (own.test(name)) rmSync(join(folder, name), { recursive: true, force: true })
  } catch {
    // Somebody writes there still: the next one that asks for a folder removes it.
  }
}
