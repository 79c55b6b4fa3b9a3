import fc from 'fast-check'

type Change =
  | { kind: 'set' | 'flip' | 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'cut' | 'copy'; at: number; length: number }
  | { kind: 'end'; at: number }

/** Bytes that mean much to decoders: ends of ranges, counts, lengths, marks. */
const telling = fc.oneof(
  fc.constantFrom(
    ...['00', '01', '7f', '80', 'ff', 'ffffffff', '7fffffff', '00000080', 'ffffffffffffffffff01'],
    ...['22', '5c', '7b', '5b', '3c', '26', '0a', '0d', 'efbbbf', 'eda080', '504b0304'],
  ),
  fc.constant('5b'.repeat(2000)),
)

const bytes = fc.oneof(
  telling.map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))),
  fc.uint8Array({ minLength: 1, maxLength: 8 }),
)

const at = fc.nat({ max: 2 ** 20 })
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('set', 'flip', 'insert'), at, bytes }),
  fc.record({ kind: fc.constantFrom('cut', 'copy'), at, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('end'), at }),
) as fc.Arbitrary<Change>

/** A seed with some changes: its bytes may be anything afterwards. */
export function mutated(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.nat({ max: seeds.length - 1 }), fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([i, changes]) => changes.reduce(changed, Buffer.from(seeds[i] as Buffer)))
}

function changed(before: Buffer, change: Change): Buffer {
  const at = before.length === 0 ? 0 : change.at % before.length
  const rest = (length: number) => before.subarray(Math.min(at + length, before.length))
  const start = before.subarray(0, at)
  if (change.kind === 'end') return Buffer.from(start)
  if ('length' in change) {
    const own = change.kind === 'copy' ? before.subarray(at, at + change.length) : ''
    return Buffer.concat([
      start,
      Buffer.from(own),
      rest(change.kind === 'copy' ? 0 : change.length),
    ])
  }
  if (change.kind === 'insert') return Buffer.concat([start, change.bytes, rest(0)])
  const own = before.subarray(at, at + change.bytes.length)
  const bytes =
    change.kind === 'flip' ? own.map((byte, i) => byte ^ (change.bytes[i] ?? 0)) : change.bytes
  return Buffer.concat([start, bytes, rest(change.bytes.length)])
}
