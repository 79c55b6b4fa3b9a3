import { createWriteStream } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { builtFile } from '../../../home.js'
import { Threads } from '../../../threads.js'
import { decoderLimits } from '../../decoder/limits.js'
import { beyondNode, progressed } from '../../decoder/progress.js'
import type { WrittenRecords } from '../write-records.js'
import { type Cuts, cutsOf, type Sizes, type XmlLayout, type XmlText } from './cuts.js'
import type { Piece, PieceRead } from './piece.js'
import type { PieceJob } from './piece-thread.js'

/** How pieces are read. */
export interface Reading extends Sizes {
  /** How many are asked for at once. */
  atOnce: number
  /** Reads one as `readPiece` does; `over` is set to 1 to give it up. */
  read(piece: Piece, over: Int32Array): Promise<PieceRead>
}

/** Bytes of a piece, and of the longest. */
const PIECE = { usual: 4 * 2 ** 20, longest: 16 * 2 ** 20 }
/** To start threads takes as long as to read so many bytes. */
const START = 2 ** 25
/** Bytes of memory that a thread may need. */
const MEMORY = 2 ** 27

const cores = availableParallelism()
const threads = new Threads(builtFile('source/formats/xml/piece-thread.cjs'), cores, START)

/** How threads read a document of so many bytes; `undefined` where that is not worth it. */
export function inThreads(size: number): Reading | undefined {
  // One is asked for ahead. There are no more threads than pieces that are read.
  const atOnce = Math.min(cores + 1, Math.floor(decoderLimits().memory / MEMORY))
  if (cores < 2 || atOnce < 2 || !threads.isWorth(size)) return undefined
  const read = (piece: Piece, over: Int32Array) => {
    const job: PieceJob = { piece, over }
    return beyondNode(() => threads.ask<PieceRead>(job))
  }
  return { piece: PIECE.usual, longest: PIECE.longest, atOnce, read }
}

/** What is to be read of a document has to be read by one from its start. */
class Uncut extends Error {}

/**
 * Writes the rows of a document down, which is read in pieces that begin where rows seem to. That
 * one does is known once the piece before it was read: up to there it is as it is at the first row.
 *
 * @returns what was written; `undefined` where the document has to be read from its start to its
 *   end: nothing is sure of what was written then.
 */
export async function writeInPieces(
  text: XmlText,
  layout: XmlLayout,
  to: string,
  reading: Reading,
): Promise<WrittenRecords | undefined> {
  const cuts = await cutsOf(text, layout, reading)
  if (!cuts) return undefined
  const written = { records: 0, longest: 0, marked: false }
  const digits = String(text.size).length
  const over = new Int32Array(new SharedArrayBuffer(4))
  const pieces = new Pieces(cuts, reading, (from, to, isLast) => {
    const head = from === text.start ? new Uint8Array() : cuts.head
    return reading.read({ path: text.path, layout, head, from, to, isLast, digits }, over)
  })
  const texts = async function* () {
    let line = 1
    for await (const found of pieces.inOrder()) {
      for (const text of found.texts) {
        renumber(text, digits, line)
        yield text
      }
      line += found.lines
      written.records += found.records
      written.longest = Math.max(written.longest, found.longest)
      progressed()
    }
  }
  try {
    const all = Readable.from(texts(), { objectMode: true, highWaterMark: 1 })
    await pipeline(all, createWriteStream(to))
    return written
  } catch (error) {
    if (error instanceof Uncut) return undefined
    throw error
  } finally {
    Atomics.store(over, 0, 1)
  }
}

/** Cuts that are not between rows, after which no more are tried: more in many that are. */
const WRONG = { most: 4, of: 8 }

class Pieces {
  private readonly ahead: Promise<PieceRead | undefined>[] = []
  /** How many of the pieces were asked for. */
  private asked = 0

  constructor(
    private readonly cuts: Cuts,
    private readonly reading: Reading,
    private readonly read: (from: number, to: number, isLast: boolean) => Promise<PieceRead>,
  ) {}

  /**
   * What is in the pieces, each of which begins with a row for certain.
   *
   * @throws Uncut where one can't be read, or cuts are too often not between rows.
   */
  async *inOrder(): AsyncGenerator<PieceRead> {
    const count = this.cuts.at.length - 1
    let wrong = 0
    for (let i = 0, end = 1; i < count; i = end++) {
      while (this.asked < Math.min(count, i + this.reading.atOnce))
        this.ahead.push(this.ask(this.asked, ++this.asked))
      let found = await this.ahead.shift()
      while (found && end < count && !this.isBetween(found)) {
        if (++wrong > WRONG.most + end / WRONG.of) throw new Uncut()
        // What was read from there on is nothing.
        if (this.ahead.shift() === undefined) this.asked++
        found = await this.ask(i, ++end)
      }
      if (!found) throw new Uncut()
      yield found
    }
  }

  /** Whether behind a piece all is as it is at the first row. */
  private isBetween({ within }: PieceRead): boolean {
    const first = this.cuts.within
    return within?.length === first.length && first.every((name, i) => name === within[i])
  }

  /** What is in pieces together; `undefined` where it can't be read. */
  private async ask(first: number, end: number): Promise<PieceRead | undefined> {
    const { at } = this.cuts
    const [from, to] = [at[first] as number, at[end] as number]
    if (to - from > this.reading.longest) return undefined
    return this.read(from, to, end === at.length - 1).catch(() => undefined)
  }
}

const [ZERO, LF] = [48, 10]

/** Adds to the number that each line begins with. */
function renumber(text: Uint8Array, digits: number, more: number): void {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length)
  for (let at = 0; at < bytes.length; at = bytes.indexOf(LF, at) + 1) {
    let rest = more
    for (let i = 0; i < digits; i++)
      rest += ((bytes[at + i] as number) - ZERO) * 10 ** (digits - 1 - i)
    for (let i = digits - 1; i >= 0; i--) {
      bytes[at + i] = ZERO + (rest % 10)
      rest = Math.floor(rest / 10)
    }
  }
}
