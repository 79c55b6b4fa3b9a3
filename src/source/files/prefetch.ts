import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { scratchFolder } from '../../storage/scratch.js'
import { isGoneSince } from './gone.js'
import type { SourceFile } from './source-file.js'

/** Objects that are on their way at once … */
const AT_ONCE = 16
/** … if they are of up to so many bytes: others come when it is their turn, one by one. */
const SMALL = 4 * 2 ** 20

/**
 * The files in their order; small ones that are elsewhere are brought here ahead of their turn,
 * since it is the waiting for each that takes the time. What was brought is there until the next
 * file is asked for.
 */
export async function* prefetched(
  files: readonly SourceFile[],
  signal: AbortSignal,
): AsyncGenerator<SourceFile> {
  const isAhead = ({ remote, archive, size }: SourceFile) => remote && !archive && size <= SMALL
  if (files.filter(isAhead).length < 2) {
    yield* files
    return
  }
  const folder = await scratchFolder('objects')
  const underway: Promise<SourceFile>[] = []
  let next = 0
  const start = (): void => {
    for (; next < files.length && underway.length < AT_ONCE; next++) {
      const file = files[next] as SourceFile
      const started = isAhead(file) ? fetchTo(file, join(folder, String(next)), signal) : file
      const arrival = Promise.resolve(started)
      // Told when it is its turn.
      arrival.catch(() => {})
      underway.push(arrival)
    }
  }
  try {
    for (start(); underway.length > 0; start()) {
      const file = await (underway.shift() as Promise<SourceFile>)
      yield file
      const { here } = file.remote ?? {}
      if (isAhead(file) && here !== undefined) await rm(here, { force: true })
    }
  } finally {
    await Promise.allSettled(underway)
    await rm(folder, { recursive: true, force: true })
  }
}

async function fetchTo(file: SourceFile, here: string, signal: AbortSignal): Promise<SourceFile> {
  const { remote } = file
  try {
    await remote?.download(here, signal)
  } catch (fault) {
    signal.throwIfAborted()
    // Told when it is its turn, where it is no reason to fail.
    if (await isGoneSince(file, fault)) return { ...file, fault }
    throw fault
  }
  return remote ? { ...file, remote: { ...remote, here } } : file
}
