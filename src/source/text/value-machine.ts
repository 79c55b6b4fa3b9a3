/*
 * A machine of states for the lines of a delimited text, which takes a step for each byte. It knows
 * of each type just the texts that the engine writes values of it as, and no more of these than are
 * sure to be read: a BIGINT has up to 18 digits here.
 */

const LF = 10
const CR = 13

/**
 * States are numbers; bytes are of few kinds, so that all steps are close at hand. It is plain
 * data, and its tables are shared by threads that are handed it.
 */
export interface Machine extends Steps {
  /** The state at the start of a line. */
  readonly start: number
  /**
   * The number of the state in which a line has too few or too many fields, which is never left.
   * This state and those of lesser numbers say that something is wrong.
   */
  readonly ragged: number
  /** For each column, whether the texts of its type are known. */
  readonly known: readonly boolean[]
}

/** Numbers of the states that are only reached where a field of a column fails. */
export function failuresOf({ known: { length } }: Machine, column: number): number[] {
  return [column, length + column, ...(column === length - 1 ? [2 * length] : [])]
}

/**
 * The machine for lines of fields of these types; a type that is `undefined` takes any text.
 *
 * @returns `undefined` where it would be too large.
 */
export function machineOf(
  types: readonly (string | undefined)[],
  delimiter: number,
): Machine | undefined {
  const n = types.length
  const draft = new Draft()
  const [ended, ragged] = [2 * n, 2 * n + 1]
  draft.add(2 * n + 2)
  const first = draft.add(n)
  const extra = draft.add(1)
  const returned = draft.add(1)
  const shapes = types.map((type) => (type === undefined ? undefined : shapeOf(type)))
  for (const [i, shape] of shapes.entries()) {
    const start = first + i
    const isLast = i === n - 1
    const [bad, cut] = [i, n + i]
    const own = draft.count
    const ends = shape ? shape(draft, start) : [start]
    const states = [start, ...Array.from({ length: draft.count - own }, (_, k) => own + k)]
    for (const state of states) draft.fill(state, shape ? bad : start)
    draft.fill(bad, bad)
    for (const state of [...states, bad]) {
      const isWhole = state === start || state === bad || ends.includes(state)
      draft.step(state, [delimiter], isWhole ? (isLast ? extra : start + 1) : cut)
      draft.step(state, [LF], !isLast ? ragged : isWhole ? first : ended)
      if (isWhole && isLast) draft.step(state, [CR], returned)
    }
  }
  // Delimiters at the end of a line make no further fields.
  draft.step(extra, [delimiter], extra)
  draft.step(extra, [CR], returned)
  for (const state of [extra, returned]) draft.step(state, [LF], first)
  for (const state of [extra, returned, ragged]) draft.fill(state, ragged)
  // A field that fails by its end is followed by what would follow it otherwise.
  for (let i = 0; i < n; i++) draft.copy(i === n - 1 ? extra : first + i + 1, n + i)
  draft.copy(first, ended)
  if (draft.count > STATES) return undefined
  return {
    ...draft.steps(ragged),
    start: first,
    ragged,
    known: shapes.map((shape) => shape !== undefined),
  }
}

/** Where each state goes by each kind of byte: `table[(state << shift) | kinds[byte]]`. */
interface Steps {
  readonly table: Uint16Array
  readonly kinds: Uint8Array
  readonly shift: number
  /** The same for two bytes at once, where that is not too large a table. */
  readonly pairs: Pairs | undefined
}

/**
 * `table[(state << shift) | kinds[word]]`, for the word that two bytes are in this machine's
 * memory. {@link CAREFULLY} where one of both steps says that something is wrong: they are to be
 * taken one by one.
 */
export interface Pairs {
  readonly table: Uint16Array
  readonly kinds: Uint16Array
  readonly shift: number
}

export const CAREFULLY = 0

/** States that there may be, and steps of two bytes. */
const STATES = 1 << 14
const PAIRS = 1 << 19
const UNSET = -1
const BYTES = 256

/** States with a step for each byte. */
class Draft {
  private readonly rows: Int32Array[] = []

  get count(): number {
    return this.rows.length
  }

  /** @returns the first of so many new states. */
  add(states: number): number {
    const first = this.rows.length
    for (let i = 0; i < states; i++) this.rows.push(new Int32Array(BYTES).fill(UNSET))
    return first
  }

  step(from: number, bytes: string | readonly number[], to: number): void {
    const numbers = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    for (const byte of numbers) this.row(from)[byte] = to
  }

  /** Where all other bytes lead to. */
  fill(from: number, to: number): void {
    const row = this.row(from)
    for (const [byte, step] of row.entries()) if (step === UNSET) row[byte] = to
  }

  copy(from: number, to: number): void {
    this.rows[to] = this.row(from)
  }

  /** Bytes by which all states go the same way are of one kind. */
  steps(wrong: number): Steps {
    const known = new Map<string, number>()
    const kinds = Uint8Array.from({ length: BYTES }, (_, byte) => {
      const steps = this.rows.map((row) => row[byte]).join()
      const kind = known.get(steps) ?? known.size
      known.set(steps, kind)
      return kind
    })
    const shift = Math.ceil(Math.log2(known.size))
    const table = words(this.rows.length << shift)
    for (const [state, row] of this.rows.entries())
      for (const [byte, to] of row.entries()) table[(state << shift) | (kinds[byte] as number)] = to
    const pairs =
      this.rows.length << (2 * shift) > PAIRS ? undefined : pairsOf(table, kinds, shift, wrong)
    return { table, kinds, shift, pairs }
  }

  private row(state: number): Int32Array {
    return this.rows[state] as Int32Array
  }
}

function pairsOf(table: Uint16Array, kinds: Uint8Array, shift: number, wrong: number): Pairs {
  const found = words(table.length << shift)
  for (let state = 0; state < table.length >> shift; state++)
    for (let first = 0; first < 1 << shift; first++) {
      const between = table[(state << shift) | first] as number
      for (let second = 0; second < 1 << shift; second++) {
        const to = table[(between << shift) | second] as number
        const place = (((state << shift) | first) << shift) | second
        found[place] = between <= wrong || to <= wrong ? CAREFULLY : to
      }
    }
  const kindOf = words(1 << 16)
  const bytes = new Uint8Array(2)
  const word = new Uint16Array(bytes.buffer)
  for (let first = 0; first < BYTES; first++)
    for (let second = 0; second < BYTES; second++) {
      bytes.set([first, second])
      kindOf[word[0] as number] = ((kinds[first] as number) << shift) | (kinds[second] as number)
    }
  return { table: found, kinds: kindOf, shift: 2 * shift }
}

const words = (count: number) => new Uint16Array(new SharedArrayBuffer(count * 2))

/**
 * Adds the states of a type's texts, which are reached from `start`. @returns those at which a text
 * may end.
 */
type Shape = (draft: Draft, start: number) => number[]

const DIGIT = '0123456789'
const FROM_ONE = '123456789'
/** Digits of integers that are surely in range. */
const integers: Record<string, number> = { SMALLINT: 4, INTEGER: 9, BIGINT: 18 }

/** `undefined` for types whose texts are better left to the engine. */
function shapeOf(type: string): Shape | undefined {
  const digits = integers[type]
  if (digits !== undefined) return (draft, start) => integer(draft, start, digits).ends
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type)
  if (decimal) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])]
    // The engine writes those without digits before the point without a zero there.
    if (scale === precision) return undefined
    if (scale === 0) return (draft, start) => integer(draft, start, precision).ends
    return (draft, start) => fraction(draft, integer(draft, start, precision - scale), scale)
  }
  if (type === 'DATE') return (draft, start) => [date(draft, start)]
  if (type === 'TIMESTAMP') return (draft, start) => [timeOfDay(draft, date(draft, start))]
  if (type === 'BOOLEAN')
    return (draft, start) => ['true', 'false'].map((text) => word(draft, start, text))
  return undefined
}

interface Integer {
  ends: number[]
  minus: number
}

function integer(draft: Draft, start: number, digits: number): Integer {
  const minus = draft.add(1)
  const zero = draft.add(1)
  const counted = draft.add(digits)
  draft.step(start, '-', minus)
  draft.step(start, '0', zero)
  for (const state of [start, minus]) draft.step(state, FROM_ONE, counted)
  for (let i = 1; i < digits; i++) draft.step(counted + i - 1, DIGIT, counted + i)
  return { ends: [zero, ...Array.from({ length: digits }, (_, i) => counted + i)], minus }
}

/** A point and just so many digits; zero has no minus. */
function fraction(draft: Draft, { ends, minus }: Integer, scale: number): number[] {
  const places = draft.add(scale + 1)
  const nothing = draft.add(scale + 1)
  const zero = draft.add(1)
  for (const state of ends) draft.step(state, '.', places)
  draft.step(minus, '0', zero)
  draft.step(zero, '.', nothing)
  for (let i = 0; i < scale; i++) {
    draft.step(places + i, DIGIT, places + i + 1)
    draft.step(nothing + i, '0', nothing + i + 1)
    draft.step(nothing + i, FROM_ONE, places + i + 1)
  }
  return [places + scale]
}

/** Years of four digits; whether a month has that day, the engine tells. */
function date(draft: Draft, start: number): number {
  const year = path(draft, start, [FROM_ONE, DIGIT, DIGIT, DIGIT, '-'])
  const month = either(draft, year, [
    ['0', FROM_ONE],
    ['1', '012'],
  ])
  const dash = path(draft, month, ['-'])
  return either(draft, dash, [
    ['0', FROM_ONE],
    ['12', DIGIT],
    ['3', '01'],
  ])
}

function timeOfDay(draft: Draft, day: number): number {
  const hours = either(draft, path(draft, day, [' ']), [
    ['01', DIGIT],
    ['2', '0123'],
  ])
  return path(draft, hours, [':', '012345', DIGIT, ':', '012345', DIGIT])
}

function word(draft: Draft, start: number, text: string): number {
  return path(draft, start, [...text])
}

/** One state after another. @returns the last. */
function path(draft: Draft, from: number, steps: readonly string[]): number {
  let at = from
  for (const bytes of steps) {
    const next = draft.add(1)
    draft.step(at, bytes, next)
    at = next
  }
  return at
}

/**
 * Two bytes, of which the first decides what the second may be. @returns where all of them meet.
 */
function either(
  draft: Draft,
  from: number,
  ways: readonly (readonly [first: string, second: string])[],
): number {
  const to = draft.add(1)
  for (const [first, second] of ways) draft.step(path(draft, from, [first]), second, to)
  return to
}
