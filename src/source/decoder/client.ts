import type { ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { sizeText } from '../../define/size.js'
import { MoraineError } from '../../errors.js'
import { builtFile } from '../../home.js'
import { endingOf, startChild } from '../../process/child.js'
import { sweep } from '../../storage/scratch.js'
import type { SourceFile } from '../files/source-file.js'
import type { Input, JobName, Jobs, Output } from './job-types.js'
import { type DecoderLimits, decoderLimits } from './limits.js'
import { errorData, errorOf, fileData, type Reply, type Request } from './wire.js'

/*
 * Files are decoded in a process of their own, so that one that hangs its decoder, takes all memory
 * or crashes it costs itself alone. A process does one job at a time and is kept for the next.
 */

/**
 * How a job on a file ended where the process can't go on: with what its end says of the file, if
 * anything.
 */
class Ended extends Error {
  constructor(
    /** Why, as the start of a sentence about the file; `undefined`: the file had no part in it. */
    readonly fault: string | undefined,
    message: string,
  ) {
    super(message)
  }
}

let local: Jobs | undefined

/** Jobs are done in this process from now on: it is a decoder's. */
export function setLocalJobs(jobs: Jobs): void {
  local = jobs
}

/**
 * Has a job done on a file.
 *
 * @throws MoraineError of kind `source` where the decoder had to be stopped or broke down;
 *   otherwise what the job throws.
 */
export async function decode<J extends JobName>(
  job: J,
  file: SourceFile,
  input: Omit<Input<J>, 'file'>,
  signal?: AbortSignal,
): Promise<Output<J>> {
  if (local) return (await local[job]({ file, ...input } as never)) as Output<J>
  signal?.throwIfAborted()
  const mib = Math.ceil(file.size / 2 ** 20)
  const work = { job, input: { file: fileData(file), ...input }, mib }
  for (;;) {
    const decoder = idle.pop() ?? new Decoder()
    const isFresh = decoder.served === 0
    try {
      const done = await decoder.run(work, file, signal)
      giveBack(decoder)
      return done as Output<J>
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof Ended)) {
        giveBack(decoder)
        throw error
      }
      // What its folders still hold is removed by whoever finds its process gone.
      void sweep(tmpdir()).catch(() => {})
      // What files before it left behind may have been the cause.
      if (!isFresh) continue
      if (error.fault === undefined) throw endedOutside(file, error)
      throw new MoraineError('source', `${file.name} can't be read: ${error.fault}`, {
        cause: error,
        hint: 'Nothing was ingested from it. Is it damaged, or crafted to break its reader? Get it again, or exclude it.',
      })
    }
  }
}

function endedOutside(file: SourceFile, cause: Ended): MoraineError {
  return new MoraineError('engine', `The process that decodes ${file.name} ${cause.message}`, {
    cause,
    retryable: true,
    hint: 'The file may be fine; nothing was ingested from it. Run again.',
  })
}

const idle: Decoder[] = []
/** Milliseconds for which a process waits for another file. */
const PATIENCE = 30_000
/** Files after which a process makes room for a new one. */
const MOST_SERVED = 20_000

function giveBack(decoder: Decoder): void {
  const { memory } = decoder.limits
  if (decoder.served >= MOST_SERVED || decoder.rss > memory / 4) {
    decoder.end()
    return
  }
  idle.push(decoder)
  decoder.rest(PATIENCE, () => {
    const at = idle.indexOf(decoder)
    if (at >= 0) idle.splice(at, 1)
  })
}

class Decoder {
  served = 0
  rss = 0
  readonly limits = decoderLimits()
  private readonly child: ChildProcess
  private output = ''
  private isReady = false
  private timer: NodeJS.Timeout | undefined
  private left: (() => void) | undefined

  constructor() {
    this.child = start(this.limits)
    this.child.stderr?.on('data', (text: Buffer) => {
      this.output = (this.output + text).slice(-4096)
    })
    this.child.once('message', () => {
      this.isReady = true
    })
    this.child.once('exit', () => this.left?.())
  }

  /** Waits for another file without keeping this process alive; `left` is called when it goes. */
  rest(patience: number, left: () => void): void {
    this.left = left
    this.child.unref()
    this.child.channel?.unref()
    unrefStream(this.child.stderr)
    this.timer = setTimeout(() => {
      left()
      this.end()
    }, patience).unref()
  }

  end(): void {
    clearTimeout(this.timer)
    if (this.child.connected) this.child.disconnect()
  }

  run(work: Request, file: SourceFile, signal: AbortSignal | undefined): Promise<unknown> {
    clearTimeout(this.timer)
    const { child } = this
    child.ref()
    child.channel?.ref()
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.served++
        child.off('message', onReply).off('close', onClose).off('error', onError)
        signal?.removeEventListener('abort', onAbort)
        act()
      }
      const onReply = (message: Reply) => {
        if ('done' in message) {
          this.rss = message.rss
          settle(() => resolve(message.done))
        } else if ('failed' in message) {
          const { failed, isBroken } = message
          if (!isBroken) settle(() => reject(errorOf(failed)))
          else
            settle(() => this.abandon(reject, new Ended(firstLine(failed.message), 'broke down')))
        } else if ('ask' in message) void this.give(message, file)
      }
      const onClose = (code: number | null, by: string | null) =>
        settle(() => reject(this.reason(code, by)))
      const onError = (error: Error) =>
        settle(() => reject(new Ended(undefined, `can't be reached: ${error.message}`)))
      const onAbort = () => settle(() => this.abandon(reject, new Ended(undefined, 'was stopped')))
      child.on('message', onReply).on('close', onClose).on('error', onError)
      signal?.addEventListener('abort', onAbort)
      if (!child.connected) return onClose(child.exitCode, child.signalCode)
      child.send(work, (error) => error && onError(error))
    })
  }

  private abandon(reject: (error: Error) => void, error: Error): void {
    this.child.kill('SIGKILL')
    reject(error)
  }

  /** Gives bytes of a file that is elsewhere. */
  private async give(
    { ask, from, length }: { ask: number; from: number; length: number },
    { remote }: SourceFile,
  ): Promise<void> {
    const answer = await (remote as NonNullable<typeof remote>).range(from, length).then(
      (bytes) => ({ answer: ask, bytes }),
      (error) => ({ answer: ask, error: errorData(error) }),
    )
    if (this.child.connected) this.child.send(answer)
  }

  /** What the end of the process says of the file that it had. */
  private reason(code: number | null, by: string | null): Ended {
    const { seconds, memory } = this.limits
    const message = `ended (${by ?? `exit code ${code}`})`
    const limit = endingOf(this.child)
    const more = (name: string, value: string) => `; if this is expected, set ${name}=${value}`
    if (limit === 'memory' || /heap out of memory|bad_alloc/.test(this.output)) {
      const twice = more('MORAINE_DECODER_MEMORY', `${sizeText(2 * memory).replace(' ', '')}`)
      return new Ended(`decoding it needs more than ${sizeText(memory)} of memory${twice}`, message)
    }
    if (limit === 'stalled') {
      const more10 = more('MORAINE_DECODER_SECONDS', String(Math.ceil(seconds * 10)))
      return new Ended(`its decoder made no progress for ${seconds} s${more10}`, message)
    }
    if (!this.isReady)
      return new Ended(undefined, `can't be started: ${firstLine(this.output) || message}`)
    const crashed = by === null ? code !== 0 : CRASHES.has(by)
    return new Ended(crashed ? `it crashes its decoder (${by ?? code})` : undefined, message)
  }
}

/** Signals by which a process ends itself. */
const CRASHES = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'])

const firstLine = (text: string) => text.trim().split('\n', 1)[0] ?? ''

const unrefStream = (stream: unknown) => (stream as { unref?: () => void } | null)?.unref?.()

function start({ seconds, memory }: DecoderLimits): ChildProcess {
  return startChild(builtFile('source/decoder.cjs'), {
    env: {
      MORAINE_DECODER_SECONDS: String(seconds),
      MORAINE_DECODER_MEMORY: `${Math.floor(memory / 2 ** 20)}MiB`,
    },
    execArgv: [`--max-old-space-size=${Math.floor(memory / 2 ** 21)}`],
    isHeard: true,
  })
}
