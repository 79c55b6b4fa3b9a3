/** Checksums that are kept at most; beyond it the oldest go, and the storage's own stand in for them. */
const MOST = 500_000

const sums = new Map<string, string>()

/** Notes the SHA-256, in hex, that the object at a location has by whoever refers to it. */
export function expectSum(location: string, sha256: string): void {
  if (!sums.has(location) && sums.size >= MOST) {
    const [oldest] = sums.keys()
    if (oldest !== undefined) sums.delete(oldest)
  }
  sums.set(location, sha256)
}

/** The SHA-256 that an object should have, where something that was read in this process says it. */
export const expectedSum = (location: string): string | undefined => sums.get(location)

/** Nothing is known any more of what lies at a location: it is being written. */
export function expectNothing(location: string): void {
  sums.delete(location)
}
