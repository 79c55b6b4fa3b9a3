import { type Machine, machineOf } from './value-machine.js'

const LF = 10
/** A byte order mark. */
const MARK = [0xef, 0xbb, 0xbf]
/** Bytes from which on a chunk is gone through from two places at once, which takes half the time. */
const LONG = 1 << 14

export interface TextColumn {
  name: string
  /** The engine's name of the type in which its fields are wanted as values; `undefined` where texts are fine. */
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
 * Tells, by one look over a delimited text without quotes, of which columns all fields are just what values of the column's type are
 * written as: whoever reads them as values need not prove that each gives its text back.
 */
export class ValueTexts {
  private readonly wrong: Uint8Array
  private state: number
  private last = LF
  private isFirst = true

  private constructor(
    private readonly columns: readonly TextColumn[],
    private readonly machine: Machine,
    private skips: number,
  ) {
    this.wrong = new Uint8Array(machine.ragged + 1)
    this.state = machine.start
  }

  /** `undefined` where there are too many columns for it. */
  static of({ columns, delimiter, skip }: TextLayout): ValueTexts | undefined {
    const types = columns.map(({ type }) => type)
    const machine = machineOf(types, delimiter)
    return machine && new ValueTexts(columns, machine, skip)
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

  /** The columns that can be read as values, with their types; `undefined` where lines have other numbers of fields. */
  result(): ReadonlyMap<string, string> | undefined {
    // The last line may have no end.
    if (this.last !== LF) this.take(Uint8Array.of(LF))
    if (!this.fits) return undefined
    const exact = this.columns.flatMap(({ name, type }, i) =>
      type !== undefined && this.machine.isKnown(i) && !this.failed(i)
        ? [[name, type] as const]
        : [],
    )
    return new Map(exact)
  }

  private get fits(): boolean {
    return this.wrong[this.machine.ragged] === 0
  }

  private failed(column: number): boolean {
    return this.machine.failures(column).some((state) => this.wrong[state] === 1)
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
    const middle = half < LONG ? 0 : bytes.indexOf(LF, from + half) + 1
    if (middle === 0) return step(machine, wrong, bytes, from, bytes.length, state)
    // A line begins in the middle: both halves are gone through side by side, as far as the shorter of them.
    const length = Math.min(middle - from, bytes.length - middle)
    const [one, other] = stepBoth(machine, wrong, bytes, from, middle, length, state)
    step(machine, wrong, bytes, from + length, middle, one)
    return step(machine, wrong, bytes, middle + length, bytes.length, other)
  }
}

const beginsWithMark = (bytes: Uint8Array) => MARK.every((byte, i) => bytes[i] === byte)

function step(
  { table, kinds, ragged, shift }: Machine,
  wrong: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
  state: number,
): number {
  const limit = (ragged + 1) << shift
  let at = state
  for (let i = from; i < to; i++) {
    at = table[at + (kinds[bytes[i] as number] as number)] as number
    if (at < limit) wrong[at >> shift] = 1
  }
  return at
}

/** Two places at once: a step waits for the one before it, but not for the other's. */
function stepBoth(
  { table, kinds, ragged, shift, start }: Machine,
  wrong: Uint8Array,
  bytes: Uint8Array,
  from: number,
  middle: number,
  length: number,
  state: number,
): [number, number] {
  const limit = (ragged + 1) << shift
  let one = state
  let other = start
  for (let i = 0; i < length; i++) {
    one = table[one + (kinds[bytes[from + i] as number] as number)] as number
    other = table[other + (kinds[bytes[middle + i] as number] as number)] as number
    if (one < limit) wrong[one >> shift] = 1
    if (other < limit) wrong[other >> shift] = 1
  }
  return [one, other]
}
