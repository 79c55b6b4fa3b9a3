import { thousands } from '../define/thousands.js'
import { parseExactly, saying } from '../source/http/document.js'
import { hash } from '../step/context.js'

/** Rows that are remembered as they may come again. */
const REMEMBERED = 10_000
/** Zones differ by less than a day, and clocks do as well. */
const DAY = 86_400_000

/** How far rows were read by their cursor. */
export interface ReachedCursor {
  /** The newest cursor that was seen; rows are asked for from there on. */
  from?: string
  /** Whether it is a number in JSON. */
  number?: true
  /** Rows that will come again: they have just that cursor, none, or one that is in the future. */
  again?: string[]
}

/** How far the rows of an API reach by their cursor, and which of them will come again. */
export class CursorReach {
  private newest: string | undefined
  private isNumber: boolean
  private readonly seen: ReadonlySet<string>
  /** Rows that have the newest cursor. */
  private latest: Set<string>
  /** Rows without a cursor, or with one in the future: they come again whatever is newest. */
  private readonly apart = new Set<string>()
  private ahead = 0
  /** The cursor that is farthest in the future, should those be too many to be remembered. */
  private farthest: string | undefined
  /** How many rows come again, remembered or not. */
  private readonly coming = { latest: 0, apart: 0 }

  constructor(
    private readonly column: string,
    before: ReachedCursor = {},
    private readonly now = Date.now(),
  ) {
    this.newest = before.from
    this.isNumber = before.number ?? false
    this.seen = new Set(before.again)
    this.latest = new Set(before.again)
  }

  /** Whether a row is one that was not read before; it is one of those read from now on. */
  isNew(json: string): boolean {
    const print = hash(json)
    const value = cursorOf(json, this.column)
    const at = value === undefined ? undefined : String(value)
    const isAhead = at !== undefined && this.isAhead(at)
    if (isAhead) {
      this.ahead++
      if (this.farthest === undefined || isLater(at, this.farthest)) this.farthest = at
    } else if (at !== undefined && (this.newest === undefined || isLater(at, this.newest))) {
      this.newest = at
      this.isNumber = typeof value !== 'string'
      this.latest = new Set()
      this.coming.latest = 0
    }
    if (at === undefined || isAhead) this.remember('apart', print)
    else if (at === this.newest) this.remember('latest', print)
    return !this.seen.has(print)
  }

  private remember(where: 'latest' | 'apart', print: string): void {
    this.coming[where]++
    if (this[where].size < REMEMBERED) this[where].add(print)
  }

  /** A moment that is still to come says nothing of the rows that are written until then. */
  private isAhead(at: string): boolean {
    return this.isFuture(at) && !(this.newest !== undefined && this.isFuture(this.newest))
  }

  private isFuture(at: string): boolean {
    return /^\d{4}-\d\d-\d\d/.test(at) && Date.parse(at) > this.now + DAY
  }

  /** Rows in the future are so many that only their own cursor can keep them from coming again. */
  private get isBeyond(): boolean {
    return this.ahead > 0 && this.coming.apart > REMEMBERED
  }

  /** Where the next run goes on. */
  get reached(): ReachedCursor {
    const from = this.isBeyond ? this.farthest : this.newest
    const again = [...new Set([...this.apart, ...this.latest])].slice(0, REMEMBERED)
    return {
      ...(from === undefined ? {} : { from }),
      ...(this.isNumber && !this.isBeyond ? { number: true as const } : {}),
      again,
    }
  }

  /** What is to be known of rows that come in each run. */
  get notes(): string[] {
    const { ahead, column, isBeyond } = this
    if (ahead === 0 || isBeyond) return []
    const [rows, lies] = ahead === 1 ? ['row', 'lies'] : ['rows', 'lie']
    return [`${thousands(ahead)} ${rows} whose ${column} ${lies} in the future: read in each run`]
  }

  /** What may be wrong: rows that will not be asked for, or be ingested more than once. */
  get warnings(): string[] {
    const { column, coming, newest } = this
    const most = thousands(REMEMBERED)
    const future = this.isBeyond ? this.farthest : newest
    if (future !== undefined && this.isFuture(future))
      return [
        `only rows with ${column} from ${future} on will be requested, which is in the future: rows that are written until then are missed`,
      ]
    const all = coming.latest + coming.apart
    if (all <= REMEMBERED) return []
    return [
      `${thousands(all)} rows have ${column} ${newest ?? 'NULL'}${newest !== undefined && coming.apart > 0 ? ', none, or one in the future' : ''}, and will be returned again: those beyond ${most} will be ingested again. Without a cursor, each run reads all rows, and replaces them`,
    ]
  }
}

/** The value of a row's cursor, with all of its digits. */
function cursorOf(json: string, column: string): string | number | object | undefined {
  try {
    const row = /\d{16}/.test(json) ? parseExactly(json) : JSON.parse(json)
    return saying(row && Object.hasOwn(row, column) ? row[column] : undefined)
  } catch {
    // What is no JSON is discarded later, with its reason.
    return undefined
  }
}

/** Numbers by their size, moments by when they are, all else as text. */
function isLater(a: string, b: string): boolean {
  if (isWhole(a) && isWhole(b)) return BigInt(a) > BigInt(b)
  if (isNumeral(a) && isNumeral(b)) return Number(a) > Number(b)
  const [x, y] = [Date.parse(a), Date.parse(b)]
  return Number.isNaN(x) || Number.isNaN(y) || x === y ? a > b : x > y
}

const isWhole = (text: string) => /^-?\d+$/.test(text)
const isNumeral = (text: string) => /^-?\d+(\.\d+)?$/.test(text)
