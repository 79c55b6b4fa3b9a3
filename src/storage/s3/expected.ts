/**
 * Checksums that are kept at most; beyond it the oldest go, and the storage's own stand in for
 * them.
 */
const MOST = 500_000

/** The SHA-256, in hex, that objects have by whoever refers to them, by their locations. */
export class ExpectedSums {
  private readonly sums = new Map<string, string>()

  expect(location: string, sha256: string): void {
    if (!this.sums.has(location) && this.sums.size >= MOST) {
      const [oldest] = this.sums.keys()
      if (oldest !== undefined) this.sums.delete(oldest)
    }
    this.sums.set(location, sha256)
  }

  /** What an object should be, where something that was read says it. */
  of(location: string): string | undefined {
    return this.sums.get(location)
  }

  /** Nothing is known any more of what lies at a location: it is being written. */
  expectNothing(location: string): void {
    this.sums.delete(location)
  }
}
