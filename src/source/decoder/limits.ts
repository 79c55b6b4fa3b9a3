import { LEAST_MEMORY, memorySize } from '../../define/limits.js'
import { bytesOf, sizeText } from '../../define/size.js'
import { MoraineError } from '../../errors.js'
import { machineMemory } from '../../process/memory.js'
import type { WorkLimits } from '../../process/watchdog.js'
import { variable } from '../../settings.js'

/** What a decoder may take for one file before it is stopped. */
export interface DecoderLimits {
  /**
   * Seconds of processor time without progress: no further byte of the file read, no further row
   * delivered.
   */
  seconds: number
  /** Bytes of memory of the decoder's process. */
  memory: number
}

/** Files of up to so many bytes of text are decoded in place. */
export const SMALL_TEXT = 2 ** 17

/**
 * Seconds that are added for each MiB of a file: the engine and some formats work on larger pieces.
 */
const SECONDS_PER_MIB = 1
/**
 * All processor time that a file may take, many times what the slowest format needs: so much in any
 * case, and for each MiB.
 */
const TOTAL = { seconds: 600, secondsPerMiB: 60 }

/** What a file of so many MiB may take. */
export function workLimits(mib: number): WorkLimits {
  const { seconds } = decoderLimits()
  const total = Math.max(TOTAL.seconds, seconds) + TOTAL.secondsPerMiB * mib
  return { seconds: seconds + SECONDS_PER_MIB * mib, total }
}

/** What a command may use is no reason for less. */
const LEAST = 2 ** 30
let most = Number.POSITIVE_INFINITY

/** From now on decoders stay within the memory that a command was given. */
export function limitDecoderMemory(bytes: number): void {
  most = bytes
}

/**
 * The limits of decoders: MORAINE_DECODER_SECONDS (20 when not set) and MORAINE_DECODER_MEMORY
 * (half of the machine's memory, or what the command may use where that is less).
 */
export function decoderLimits(env?: Readonly<Record<string, string>>): DecoderLimits {
  const half = Math.floor(machineMemory() / 2)
  const usual = Math.max(LEAST_MEMORY, Math.min(half, Math.max(LEAST, most)))
  return {
    seconds: secondsOf(variable('MORAINE_DECODER_SECONDS', env)) ?? 20,
    memory: memoryOf(variable('MORAINE_DECODER_MEMORY', env)) ?? usual,
  }
}

function secondsOf(text: string | undefined): number | undefined {
  if (!text) return undefined
  const seconds = Number(text)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds
  throw new MoraineError('usage', `MORAINE_DECODER_SECONDS is '${text}', which is not a number`, {
    hint: 'Give seconds, such as 60.',
  })
}

function memoryOf(text: string | undefined): number | undefined {
  if (!text) return undefined
  if (memorySize.fits(text)) return bytesOf(text)
  throw new MoraineError(
    'usage',
    `MORAINE_DECODER_MEMORY is '${text}', which is not ${memorySize.is}`,
    {
      hint: `Give a number and a unit, at least ${sizeText(LEAST_MEMORY)}: MORAINE_DECODER_MEMORY=4GiB`,
    },
  )
}
