/** Numbers of a group that are gone through one by one: more are put into a set … */
const FEW = 24
/** … and of groups that are larger than this, those that do not fit in are candidates. */
const MANY = 10_000

/**
 * Finds numbers that may come more than once among numbers that rise by and large, looking at each
 * once and remembering those of one group: `width` numbers that follow each other, from a multiple
 * of it.
 *
 * Whatever comes, each number that comes more than once is among the candidates: of two that are
 * equal, either one is out of place (its group lower than one that was there before, or higher than
 * that of the number after it) or not remembered, or the second comes while the first one is.
 */
export class NearlySorted {
  readonly candidates: number[] = []
  private held = -1
  /**
   * The highest group so far of numbers in their place: its first number, and the first after it.
   */
  private start = -1
  private end = 0
  /** What came of the group: `count` numbers, all of them in the set if there are many. */
  private readonly seen = new Float64Array(FEW)
  private count = 0
  private readonly many = new Set<number>()

  constructor(private readonly width: number) {}

  /** Takes the next number, an integer from 0. */
  take(next: number): void {
    if (this.held >= 0) this.compare(this.held, next)
    this.held = next
  }

  /** To be called after the last number. */
  close(): void {
    if (this.held >= 0) this.compare(this.held, this.held)
    this.held = -1
  }

  private compare(value: number, next: number): void {
    if (value >= this.end) {
      // A number that those after it do not reach would put all of them out of place.
      const start = this.width === 1 ? value : value - (value % this.width)
      if (next < start) this.candidates.push(value)
      else this.begin(start, value)
    } else if (value < this.start || this.width === 1 || this.wasSeen(value))
      this.candidates.push(value)
  }

  private begin(start: number, value: number): void {
    this.start = start
    this.end = start + this.width
    if (this.count > FEW) this.many.clear()
    this.seen[0] = value
    this.count = 1
  }

  /** Whether a number of the group was there before; if not, it is from now on. */
  private wasSeen(value: number): boolean {
    const { seen, many, count } = this
    if (count > FEW) {
      if (many.has(value) || many.size === MANY) return true
      many.add(value)
      return false
    }
    for (let i = 0; i < count; i++) if (seen[i] === value) return true
    if (count < FEW) seen[count] = value
    else for (const one of [...seen, value]) many.add(one)
    this.count++
    return false
  }
}
