import { randomBytes } from 'node:crypto'
import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'

/** Milliseconds by which the clocks of this machine and of the storage may differ. */
const SKEW = 3_600_000

/**
 * The time by the clock of the storage, or by this machine's where that is behind it. The age of
 * files is reckoned from it: a clock that is ahead makes all of them old.
 *
 * @param now by this machine's clock, milliseconds since 1970.
 * @throws MoraineError where one of them is wrong.
 */
export async function storageClock(storage: Storage, now: () => number): Promise<number> {
  const path = `_moraine/probe/${randomBytes(8).toString('hex')}`
  await storage.write(path, new TextEncoder().encode('1'))
  try {
    const there = (await storage.stat(path))?.modified ?? now()
    const here = now()
    if (Math.abs(here - there) > SKEW) throw differ(here, there)
    return Math.min(here, there)
  } finally {
    await storage.remove(path)
  }
}

function differ(here: number, there: number): MoraineError {
  const [ours, theirs] = [here, there].map((time) => new Date(time).toISOString())
  return new MoraineError(
    'usage',
    `The clock of this machine says ${ours}, that of the storage ${theirs}`,
    {
      hint: 'What vacuum removes is decided by the age of files. Set the clock right, then run it again. Nothing was removed.',
    },
  )
}
