/**
 * Whole lines of which each is one record: no quotes, no blank lines, no carriage returns but at
 * their ends.
 */
export interface TextBlock {
  /** The physical line it begins at, from 1. */
  line: number
  /** From the first byte of the first line to the last byte of the last, without its end. */
  bytes: Buffer
}

export interface BlockLayout {
  delimiter: number
  /** Fields that a record has. */
  expected: number
}

/** A line that is no record: its number, its number of fields, its text. */
export type RaggedLine = (line: number, fields: number, text: string) => Buffer

const LF = 10
const CR = 13
const SEPARATOR = 0x1f
/** Room for a line's number and the separators before its fields. */
const PREFIX = 20

/**
 * The lines of a block in canonical form, made byte by byte: nothing is decoded, so this costs a
 * fraction of what splitting into texts does.
 */
export function canonicalBlock(block: TextBlock, layout: BlockLayout, ragged: RaggedLine) {
  const { bytes } = block
  const { delimiter, expected } = layout
  const parts: Buffer[] = []
  let out = Buffer.allocUnsafe(bytes.length + PREFIX * 1024)
  let length = 0
  let line = block.line
  let at = 0
  const flush = () => {
    parts.push(out.subarray(0, length))
    out = Buffer.allocUnsafe(bytes.length - at + PREFIX * 1024)
    length = 0
  }
  while (at <= bytes.length) {
    const found = bytes.indexOf(LF, at)
    const end = found < 0 ? bytes.length : found
    const textEnd = end > at && bytes[end - 1] === CR ? end - 1 : end
    if (out.length - length < textEnd - at + PREFIX) flush()
    const start = length
    length += out.write(`${line}`, length, 'latin1')
    out.fill(SEPARATOR, length, length + 3)
    length += 3
    let fields = 1
    let kept = -1
    for (let i = at; i < textEnd; i++) {
      const byte = bytes[i] as number
      if (byte === delimiter) {
        if (fields === expected) kept = length
        fields++
        out[length++] = SEPARATOR
      } else out[length++] = byte
    }
    if (fields > expected && onlySeparators(out, kept, length)) length = kept
    else if (fields !== expected) {
      length = start
      flush()
      parts.push(ragged(line, fields, bytes.toString('utf8', at, textEnd)))
    }
    if (length > start) out[length++] = LF
    line++
    at = end + 1
  }
  parts.push(out.subarray(0, length))
  return { output: Buffer.concat(parts), lines: line - block.line }
}

/** Delimiters at the end of a line make no further fields. */
function onlySeparators(out: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (out[i] !== SEPARATOR) return false
  return true
}
