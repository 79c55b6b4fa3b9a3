import { CAREFULLY, failuresOf, type Machine, machineOf, type Pairs } from './value-machine.js'

const LF = 10
/** A byte order mark. */
const MARK = [0xef, 0xbb, 0xbf]
/**
 * Bytes from which on a chunk is gone through from two places at once, which takes half the time.
 */
const LONG = 1 << 14

export interface TextColumn {
  name: string
  /**
   * The engine's name of the type in which its fields are wanted as values; `undefined` where texts
   * are fine.
   */
  type: string | undefined
}

/** How the text is laid out. */
export interface TextLayout {
  columns: readonly TextColumn[]
  /** A character of ASCII. */
  delimiter: number
  /** Lines at the start that are not looked at. */
  skip: number
}

/**
 * Tells, by one look over a delimited text without quotes, of which columns all fields are just
 * what values of the column's type are written as: whoever reads them as values need not prove that
 * each gives its text back.
 */
export class ValueTexts {
  private readonly wrong: Uint8Array
  private state: number
  private last = LF

  /**
   * @param skips lines at the start that are not looked at.
   * @param isFirst whether it begins with the text itself, rather than with a later line.
   */
  constructor(
    private readonly machine: Machine,
    private skips: number,
    private isFirst = true,
  ) {
    this.wrong = new Uint8Array(machine.ragged + 1)
    this.state = machine.start
  }

  /** Takes the next bytes of the text. */
  take(chunk: Uint8Array): void {
    const bytes = this.isFirst && beginsWithMark(chunk) ? chunk.subarray(MARK.length) : chunk
    this.isFirst = false
    const from = this.afterSkipped(bytes)
    if (from === bytes.length || !this.fits) return
    this.state = this.go(bytes, from)
    this.last = bytes[bytes.length - 1] as number
  }

  /** Whether lines are left that are not to be looked at. */
  get isSkipping(): boolean {
    return this.skips > 0
  }

  /** Which states were reached that say that something is wrong. */
  result(): Uint8Array {
    // The last line may have no end.
    if (this.last !== LF) this.take(Uint8Array.of(LF))
    return this.wrong
  }

  private get fits(): boolean {
    return this.wrong[this.machine.ragged] === 0
  }

  private afterSkipped(bytes: Uint8Array): number {
    let from = 0
    for (; this.skips > 0; this.skips--) {
      const end = bytes.indexOf(LF, from)
      if (end < 0) return bytes.length
      from = end + 1
    }
    return from
  }

  private go(bytes: Uint8Array, from: number): number {
    const { machine, wrong, state } = this
    const half = (bytes.length - from) >> 1
    const middle = half < LONG || !machine.pairs ? 0 : bytes.indexOf(LF, from + half) + 1
    if (middle === 0 || bytes.length - middle < LONG / 2)
      return walk(machine, wrong, bytes, from, bytes.length, state)
    // A line begins in the middle: both halves are gone through side by side, as far as the shorter
    // of them.
    const even = (at: number) => at + ((bytes.byteOffset + at) & 1)
    const [start, second] = [even(from), even(middle)]
    const one = walk(machine, wrong, bytes, from, start, state)
    const other = walk(machine, wrong, bytes, middle, second, machine.start)
    const length = Math.min(middle - start, bytes.length - second) & -2
    const ends = stride(machine, machine.pairs as Pairs, wrong, bytes, [start, second], length, [
      one,
      other,
    ])
    walk(machine, wrong, bytes, start + length, middle, ends[0])
    return walk(machine, wrong, bytes, second + length, bytes.length, ends[1])
  }
}

/** The machine for a layout; `undefined` where there are too many columns for it. */
export const machineFor = ({ columns, delimiter }: TextLayout): Machine | undefined =>
  machineOf(
    columns.map(({ type }) => type),
    delimiter,
  )

/**
 * The columns that can be read as values, with their types; `undefined` where lines have other
 * numbers of fields.
 *
 * @param wrong what was reached of each part of the text.
 */
export function valueColumns(
  { columns }: TextLayout,
  machine: Machine,
  wrong: readonly Uint8Array[],
): ReadonlyMap<string, string> | undefined {
  const reached = (state: number) => wrong.some((states) => states[state] === 1)
  if (reached(machine.ragged)) return undefined
  const exact = columns.flatMap(({ name, type }, i) =>
    type !== undefined && machine.known[i] && !failuresOf(machine, i).some(reached)
      ? [[name, type] as const]
      : [],
  )
  return new Map(exact)
}

const beginsWithMark = (bytes: Uint8Array) => MARK.every((byte, i) => bytes[i] === byte)

/** Takes a step for each byte. @returns the state after them. */
function walk(
  { table, kinds, ragged, shift }: Machine,
  wrong: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
  state: number,
): number {
  let at = state
  for (let i = from; i < to; i++) {
    at = table[(at << shift) | (kinds[bytes[i] as number] as number)] as number
    if (at <= ragged) wrong[at] = 1
  }
  return at
}

/**
 * Takes a step for every two bytes, from two places at once: a step waits for the one before it,
 * but not for the other's.
 */
function stride(
  machine: Machine,
  { table, kinds, shift }: Pairs,
  wrong: Uint8Array,
  bytes: Uint8Array,
  [from, second]: readonly [number, number],
  length: number,
  states: readonly [number, number],
): [number, number] {
  let [one, other] = states
  const words = length >> 1
  const here = new Uint16Array(bytes.buffer, bytes.byteOffset + from, words)
  const there = new Uint16Array(bytes.buffer, bytes.byteOffset + second, words)
  for (let i = 0; i < words; i++) {
    const a = table[(one << shift) | (kinds[here[i] as number] as number)] as number
    const b = table[(other << shift) | (kinds[there[i] as number] as number)] as number
    const at = i << 1
    one = a === CAREFULLY ? walk(machine, wrong, bytes, from + at, from + at + 2, one) : a
    other = b === CAREFULLY ? walk(machine, wrong, bytes, second + at, second + at + 2, other) : b
  }
  return [one, other]
}
