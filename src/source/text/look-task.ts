import { Look, type LookOptions, type TextFacts } from './look.js'
import { chunksOf } from './piece.js'
import type { Machine } from './value-machine.js'
import { type TextLayout, ValueTexts } from './value-texts.js'

/** A text that is to be looked over. */
export interface LookTask {
  path: string
  /** Its bytes; whether it has changed meanwhile is looked at by whoever reads it. */
  size: number
  options: LookOptions
  /** Looks for columns that can be read as values. */
  layout: TextLayout | undefined
}

/** What was found. */
export interface LookedAt {
  sha256: string
  facts: TextFacts
  /** By what columns were looked for that can be read as values, and what it reached. */
  machine: Machine | undefined
  wrong: readonly Uint8Array[]
}

/** The lines of a text that begin at one of so many bytes. */
export interface LookPart {
  path: string
  from: number
  to: number
  size: number
  options: LookOptions
  machine: Machine | undefined
  /** Lines at the start of the text where no values are looked for. */
  skip: number
}

export interface PartFound {
  facts: TextFacts
  /** Absent where no values were looked for, or all lines were such as are skipped. */
  wrong: Uint8Array | undefined
}

const LF = 10

/**
 * Looks at the lines of a part, in a thread that may wait for the file.
 *
 * @param isOver whether nobody waits for it any more.
 */
export function lookAtPart(part: LookPart, isOver: () => boolean): PartFound {
  const { path, from, to, size, options, machine, skip } = part
  const look = new Look(options)
  const values = machine && new ValueTexts(machine, from === 0 ? skip : 0, from === 0)
  const start = from === 0 ? 0 : lineAfter(path, from - 1, size, isOver)
  // A line that goes on behind the part is of this part.
  const end = start >= to || to >= size ? Math.min(to, size) : lineAfter(path, to - 1, size, isOver)
  let at = start
  for (const chunk of chunksOf({ path, from: start, to: end, isOver })) {
    look.at(chunk, at === 0)
    values?.take(chunk)
    at += chunk.length
  }
  return { facts: look.facts(), wrong: values?.isSkipping ? undefined : values?.result() }
}

/** Where the line begins that follows the first line feed from there on. */
function lineAfter(path: string, from: number, size: number, isOver: () => boolean): number {
  let at = from
  for (const chunk of chunksOf({ path, from, to: size, isOver })) {
    const found = chunk.indexOf(LF)
    if (found >= 0) return at + found + 1
    at += chunk.length
  }
  return size
}
