/**
 * Writes FlatBuffers (https://flatbuffers.dev/internals/), as far as Arrow's messages need them:
 * from the end to the beginning, so that what something points to is there before it.
 */
export class FlatBuffer {
  private bytes = Buffer.alloc(256)
  /** Bytes that are written, which stand at the end. */
  private size = 0

  /** Makes room so that what comes next ends up at a multiple of `alignment`. */
  private align(alignment: number, ahead = 0): void {
    const padding = (alignment - ((this.size + ahead) % alignment)) % alignment
    while (this.bytes.length < this.size + padding + ahead + 16) {
      const grown = Buffer.alloc(this.bytes.length * 2)
      this.bytes.copy(grown, grown.length - this.bytes.length)
      this.bytes = grown
    }
    this.size += padding
  }

  private put(length: number, write: (at: number) => void): number {
    this.align(length)
    this.size += length
    write(this.bytes.length - this.size)
    return this.size
  }

  readonly byte = (value: number) =>
    this.put(1, (at) => {
      this.bytes[at] = value
    })
  readonly short = (value: number) => this.put(2, (at) => this.bytes.writeInt16LE(value, at))
  readonly int = (value: number) => this.put(4, (at) => this.bytes.writeInt32LE(value, at))
  readonly long = (value: number) =>
    this.put(8, (at) => this.bytes.writeBigInt64LE(BigInt(value), at))
  /** A place of what was written before, seen from here. */
  readonly offset = (place: number) => {
    this.align(4)
    return this.int(this.size + 4 - place)
  }

  text(value: string): number {
    const text = Buffer.from(value)
    this.align(4, text.length + 1)
    this.byte(0)
    for (let i = text.length - 1; i >= 0; i--) this.byte(text[i] as number)
    return this.int(text.length)
  }

  offsets(places: readonly number[]): number {
    this.align(4, places.length * 4)
    for (const place of places.toReversed()) this.offset(place)
    return this.int(places.length)
  }

  /** A vector of structs, each of two longs. */
  pairs(values: readonly (readonly [number, number])[]): number {
    this.align(8, values.length * 16)
    for (const [first, second] of values.toReversed()) {
      this.long(second)
      this.long(first)
    }
    return this.int(values.length)
  }

  /**
   * A table by what writes each of its fields, in the order of their numbers; one that is missing
   * has its default.
   */
  table(fields: readonly ((() => number) | undefined)[]): number {
    const end = this.size
    const places = fields.map((write) => write?.())
    const start = this.int(0)
    for (const place of places.toReversed()) this.short(place === undefined ? 0 : start - place)
    this.short(start - end)
    this.short((places.length + 2) * 2)
    this.bytes.writeInt32LE(this.size - start, this.bytes.length - start)
    return start
  }

  /** All of it, with its root table. */
  finished(root: number): Buffer {
    this.align(8, 4)
    this.offset(root)
    return this.bytes.subarray(this.bytes.length - this.size)
  }
}
