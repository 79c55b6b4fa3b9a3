import { isEngineLost } from '../../engine/sql-error.js'
import { watchParent } from '../../process/watchdog.js'
import { setLocalJobs } from './client.js'
import type { JobName } from './job-types.js'
import { jobs } from './jobs.js'
import { decoderLimits, workLimits } from './limits.js'
import { countProgress, isWaiting } from './progress.js'
import { type Answer, errorData, errorOf, fileOf, type Reply, type Request } from './wire.js'

/*
 * The process in which files are decoded, one after the other. It may end at any time: by its
 * monitor, or by what a file does to its decoder. Whoever asked it tells what that means for the
 * file.
 */

const watchdog = watchParent()
const asked = new Map<
  number,
  { resolve: (bytes: Buffer) => void; reject: (error: Error) => void }
>()
let asks = 0

const reply = (message: Reply) => process.send?.(message)

watchdog.limitMemory(decoderLimits().memory)
countProgress(watchdog.progress)
// Jobs that are made of others do those here.
setLocalJobs(jobs)

process.on('message', (message: Request) => {
  if ('answer' in message) answered(message)
  else void work(message)
})
process.on('uncaughtException', (error) => {
  process.send?.({ failed: errorData(error), isBroken: true } satisfies Reply, () =>
    process.exit(1),
  )
})
reply({ ready: true })

async function work({ job, input, mib }: Exclude<Request, Answer>): Promise<void> {
  watchdog.watchWork(workLimits(mib))
  const idle = watchIdle()
  try {
    const run = jobs[job as JobName] as (input: unknown) => Promise<unknown>
    reply({
      done: await run({ ...input, file: fileOf(input.file, range) }),
      rss: process.memoryUsage.rss(),
    })
  } catch (error) {
    reply({ failed: errorData(error), isBroken: isEngineLost(error) })
  } finally {
    clearInterval(idle)
    watchdog.watchWork()
  }
}

function range(from: number, length: number): Promise<Buffer> {
  const ask = ++asks
  reply({ ask, from, length })
  return new Promise((resolve, reject) => asked.set(ask, { resolve, reject }))
}

function answered({ answer, bytes, error }: Answer): void {
  const waiting = asked.get(answer)
  asked.delete(answer)
  if (error) waiting?.reject(errorOf(error))
  else waiting?.resolve(Buffer.from(bytes ?? []))
}

/** Seconds in which a decoder may wait for nothing. */
const IDLE = 60

/**
 * A decoder that waits for nothing that could come never ends: neither a file, nor bytes from
 * elsewhere, nor the engine are asked for.
 */
function watchIdle(): NodeJS.Timeout {
  let seconds = 0
  let before = process.cpuUsage()
  return setInterval(() => {
    const { user, system } = process.cpuUsage(before)
    before = process.cpuUsage()
    seconds = asked.size > 0 || isWaiting() || user + system > 50_000 ? 0 : seconds + 1
    if (seconds < IDLE) return
    const message = 'it ends while its decoder still expects more data'
    reply({
      failed: { message, moraine: { kind: 'source', hint: undefined, retryable: false } },
      isBroken: true,
    })
  }, 1000)
}
