/*
 * Reads what it is sent, and says whether it was read or refused, what it took, and whether it ran
 * code that nothing before it did.
 */
import { Coverage } from './coverage.js'
import { all, closeAll, type Target } from './targets.js'

/** What is said of an input. */
export interface Said {
  /** What went wrong, if anything. */
  wrong?: string
  /** Pieces of code that ran for the first time. */
  fresh: number
  /** Bytes by which memory grew at most, and by which it stays larger. */
  peak: number
  kept: number
}

const { read, isRefusal } = all[process.argv[2] ?? ''] as Target
const coverage = await Coverage.start()
const memory = () => process.memoryUsage.rss()
const highest = () => process.resourceUsage().maxRSS * 1024
let usual = 0

async function attempt(bytes: Buffer): Promise<string | undefined> {
  try {
    await read(bytes)
    return undefined
  } catch (error) {
    return isRefusal(error) ? undefined : String((error as Error)?.stack ?? error)
  }
}

process.on('message', async (bytes: Uint8Array) => {
  const before = highest()
  const wrong = await attempt(Buffer.from(bytes))
  const fresh = await coverage.fresh()
  if (usual === 0) usual = memory()
  let kept = memory() - usual
  // What nobody holds any more is no leak.
  if (kept > 2 ** 28) globalThis.gc?.()
  kept = memory() - usual
  const said: Said = { fresh, peak: highest() - before, kept, ...(wrong ? { wrong } : {}) }
  process.send?.(said)
})
process.on('disconnect', async () => {
  await closeAll()
  process.exit()
})
process.send?.('ready')
