/* Reads what it is sent, and says whether it was read or refused. */
import { type Target, targets } from './targets.js'

const { read, isRefusal } = targets[process.argv[2] ?? ''] as Target

process.on('message', async (bytes: Uint8Array) => {
  try {
    await read(Buffer.from(bytes))
    process.send?.('held')
  } catch (error) {
    process.send?.(isRefusal(error) ? 'held' : String((error as Error)?.stack ?? error))
  }
})
