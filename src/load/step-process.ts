import { Console } from 'node:console'
import { text as textOf } from 'node:stream/consumers'
import { watchParent } from '../process/watchdog.js'

/*
 * A process that carries one step out: a task as JSON in, what it gives as JSON out. Started by
 * another process of Moraine's it speaks with that; otherwise it reads standard input and writes
 * standard output, wherever a scheduler of a cluster has put it.
 */

// What the definition writes is not what the step gives.
globalThis.console = new Console(process.stderr, process.stderr)

async function carriedOut(text: string): Promise<string> {
  const { carryOutSent } = await import('./sent-step.js')
  return carryOutSent(text)
}

if (process.connected) {
  watchParent()
  process.on('message', async (text: string) => process.send?.(await carriedOut(text)))
} else {
  process.stdout.write(await carriedOut(await textOf(process.stdin)))
}
