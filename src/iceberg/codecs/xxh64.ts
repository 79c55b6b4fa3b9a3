/*
 * XXH64 with seed 0, the checksum of zstd:
 * https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md Stripes of 32 bytes are mixed in
 * halves of 32 bits, which is many times faster than bigints are; the end is short.
 */

const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n

const u64 = (n: bigint) => BigInt.asUintN(64, n)
const rotated = (x: bigint, by: bigint) => u64((x << by) | (x >> (64n - by)))
const round = (accumulator: bigint, lane: bigint) =>
  u64(rotated(u64(accumulator + lane * P2), 31n) * P1)

const STRIPE = 32

export class Xxh64 {
  /** Four accumulators, each as its lower and its upper half. */
  private readonly state = new Int32Array(8)
  private rest = Buffer.alloc(0)
  private length = 0

  constructor() {
    for (const [lane, start] of [P1 + P2, P2, 0n, -P1].entries()) {
      this.state[2 * lane] = Number(BigInt.asIntN(32, start))
      this.state[2 * lane + 1] = Number(BigInt.asIntN(32, start >> 32n))
    }
  }

  update(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.length += bytes.length
    const missing = this.rest.length === 0 ? 0 : Math.min(STRIPE - this.rest.length, bytes.length)
    if (missing > 0) {
      this.rest = Buffer.concat([this.rest, bytes.subarray(0, missing)])
      if (this.rest.length < STRIPE) return
      this.mix(this.rest, STRIPE)
    }
    const left = bytes.subarray(missing)
    const whole = left.length - (left.length % STRIPE)
    this.mix(left, whole)
    this.rest = Buffer.from(left.subarray(whole))
  }

  digest(): bigint {
    let sum = this.length < STRIPE ? P5 : this.merged()
    sum = u64(sum + BigInt(this.length))
    const { rest } = this
    let at = 0
    for (; at + 8 <= rest.length; at += 8)
      sum = u64(rotated(sum ^ round(0n, rest.readBigUInt64LE(at)), 27n) * P1 + P4)
    for (; at + 4 <= rest.length; at += 4)
      sum = u64(rotated(sum ^ u64(BigInt(rest.readUInt32LE(at)) * P1), 23n) * P2 + P3)
    for (; at < rest.length; at++)
      sum = u64(rotated(sum ^ u64(BigInt(rest[at] as number) * P5), 11n) * P1)
    sum = u64((sum ^ (sum >> 33n)) * P2)
    sum = u64((sum ^ (sum >> 29n)) * P3)
    return sum ^ (sum >> 32n)
  }

  private merged(): bigint {
    const lanes = [0, 1, 2, 3].map((lane) => {
      const [low = 0, high = 0] = this.state.subarray(2 * lane, 2 * lane + 2)
      return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
    }) as [bigint, bigint, bigint, bigint]
    const [a, b, c, d] = lanes
    const sum = u64(rotated(a, 1n) + rotated(b, 7n) + rotated(c, 12n) + rotated(d, 18n))
    return lanes.reduce((sum, lane) => u64((sum ^ round(0n, lane)) * P1 + P4), sum)
  }

  private mix(bytes: Uint8Array, length: number): void {
    if (length === 0) return
    // Words need an offset that is a multiple of their size.
    const { buffer, byteOffset } = isAligned(bytes) ? bytes : Uint8Array.from(bytes)
    const words = new Int32Array(buffer, byteOffset, length / 4)
    for (let lane = 0; lane < 4; lane++) mixLane(this.state, lane, words)
  }
}

const isAligned = ({ byteOffset }: Uint8Array) => byteOffset % 4 === 0

/**
 * The same as `round`, for one lane of all stripes: products of 32 bits are made of products of 16.
 */
function mixLane(state: Int32Array, lane: number, words: Int32Array): void {
  const [p1, p1High] = [0x85ebca87 | 0, 0x9e3779b1 | 0]
  const [p2, p2High] = [0x27d4eb4f | 0, 0xc2b2ae3d | 0]
  const [p1a, p1b, p2a, p2b] = [p1 & 0xffff, p1 >>> 16, p2 & 0xffff, p2 >>> 16]
  let low = state[2 * lane] as number
  let high = state[2 * lane + 1] as number
  for (let i = 2 * lane; i < words.length; i += 8) {
    const x = words[i] as number
    const xHigh = words[i + 1] as number
    const xa = x & 0xffff
    const xb = x >>> 16
    let ab = Math.imul(xa, p2b) >>> 0
    let ba = Math.imul(xb, p2a) >>> 0
    let middle = (Math.imul(xa, p2a) >>> 16) + (ab & 0xffff) + (ba & 0xffff)
    let product = Math.imul(xb, p2b) + (ab >>> 16) + (ba >>> 16) + (middle >>> 16)
    product = (product + Math.imul(x, p2High) + Math.imul(xHigh, p2)) | 0
    const sum = (low >>> 0) + (Math.imul(x, p2) >>> 0)
    high = (high + product + (sum > 0xffffffff ? 1 : 0)) | 0
    low = sum | 0
    const turned = (low << 31) | (high >>> 1)
    const turnedHigh = (high << 31) | (low >>> 1)
    const ta = turned & 0xffff
    const tb = turned >>> 16
    ab = Math.imul(ta, p1b) >>> 0
    ba = Math.imul(tb, p1a) >>> 0
    middle = (Math.imul(ta, p1a) >>> 16) + (ab & 0xffff) + (ba & 0xffff)
    product = Math.imul(tb, p1b) + (ab >>> 16) + (ba >>> 16) + (middle >>> 16)
    high = (product + Math.imul(turned, p1High) + Math.imul(turnedHigh, p1)) | 0
    low = Math.imul(turned, p1)
  }
  state[2 * lane] = low
  state[2 * lane + 1] = high
}
