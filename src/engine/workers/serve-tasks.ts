import type { Readable } from 'node:stream'
import { MoraineError, messageOf } from '../../errors.js'
import { onLines } from './lines.js'
import { encodeLine, type Hello, type Ready, readDriverLine, type ToDriver } from './protocol.js'

/** Carries out tasks for a driver that it has said hello to. */
export interface TaskServer {
  ready: Ready
  /**
   * @param progress tells how far it is.
   * @returns the reply, and whether it is the last one: what carries tasks out is broken.
   */
  carryOut(
    text: string,
    progress: (how: { rows?: number; percent?: number }) => void,
  ): Promise<{ reply: string; isLast?: boolean }>
  close(): Promise<void>
}

/**
 * The side of a worker: reads what a driver says line by line, and does it one after the other,
 * until its input ends.
 *
 * @param say writes a line to the driver.
 * @param greet gets ready for what the driver says; what it throws is told as a refusal.
 * @returns whether it was ready.
 */
export async function serveTasks(
  input: Readable,
  say: (line: string) => void,
  greet: (hello: Hello) => Promise<TaskServer>,
): Promise<boolean> {
  const tell = (message: ToDriver) => say(encodeLine(message))
  let server: TaskServer | undefined
  try {
    for await (const line of linesOf(input)) {
      const message = readDriverLine(line)
      if (!message) throw notProtocol()
      if ('hello' in message) {
        server = await greet(message.hello)
        tell({ ready: server.ready })
        continue
      }
      if (!server) throw notProtocol()
      const { id, attempt, text } = message.task
      const progress = (how: { rows?: number; percent?: number }) =>
        tell({ progress: { id, ...how } })
      const { reply, isLast = false } = await server.carryOut(text, progress)
      tell({ reply: { id, attempt, text: reply, ...(isLast ? { last: true } : {}) } })
      if (isLast) break
    }
  } catch (error) {
    const { kind, hint } =
      error instanceof MoraineError ? error : { kind: 'engine', hint: undefined }
    tell({ refused: { kind, message: messageOf(error), ...(hint ? { hint } : {}) } })
    return false
  } finally {
    await server?.close()
  }
  return true
}

function notProtocol(): MoraineError {
  return new MoraineError('usage', 'The input of a worker is not what a run of this version says', {
    hint: 'Workers are started by runs: see engine: workers(4) in lake.ts, or moraine run --engine workers:4',
  })
}

/** The lines of a stream, as they come. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  const lines: string[] = []
  let isOver = false
  let wake: () => void = () => {}
  onLines(input, (line, isWhole) => {
    // A driver that ended in the middle of a line asks for nothing.
    if (isWhole) lines.push(line)
    wake()
  })
  for (const event of ['end', 'error', 'close'])
    input.on(event, () => {
      isOver = true
      wake()
    })
  for (;;) {
    const line = lines.shift()
    if (line !== undefined) yield line
    else if (isOver) return
    else
      await new Promise<void>((go) => {
        wake = go
      })
  }
}
