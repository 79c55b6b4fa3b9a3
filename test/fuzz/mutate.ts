import fc from 'fast-check'

type Change =
  | { kind: 'set' | 'flip' | 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'cut' | 'copy'; at: number; length: number }
  | { kind: 'end'; at: number }
  | { kind: 'splice'; at: number; other: number; from: number }

/**
 * Texts that mean much to them: entities, escapes, numbers at the ends of types, names that objects
 * have.
 */
const words = [
  ...['<![CDATA[', ']]>', '<!DOCTYPE a [<!ENTITY x "y">]>', '&x;', '&#0;', '&#x1F600;', '<?x?>'],
  ...[
    '\\u0000',
    '\\ud800',
    '\\udc00',
    '\\',
    '"",""',
    '\r\n',
    '\u2028',
    '\ufeff',
    '\u{1f600}',
    '\u00df',
  ],
  ...['1e400', '-0', '-0.0', '1e-999999999', '9223372036854775808', '9007199254740993', 'NaN'],
  ...['null', 'true', '__proto__', 'constructor', 'toJSON', '{}', '[]', '[{}]', '{"":0}'],
  ...['"type":"record"', '"logicalType":"decimal"', '"precision":99', '"size":-1', '"default":{}'],
]

/** Bytes that mean much to decoders: ends of ranges, counts, lengths, marks. */
const telling = fc.oneof(
  fc.constantFrom(
    ...['00', '01', '7f', '80', 'ff', 'ffffffff', '7fffffff', '00000080', 'ffffffffffffffffff01'],
    ...['22', '5c', '7b', '5b', '3c', '26', '0a', '0d', 'efbbbf', 'eda080', '504b0304'],
  ),
  fc.constant('5b'.repeat(2000)),
  fc.constantFrom(...words).map((word) => Buffer.from(word).toString('hex')),
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
  fc.record({ kind: fc.constant('splice'), at, other: at, from: at }),
) as fc.Arbitrary<Change>

/** A seed with some changes: its bytes may be anything afterwards. */
export function mutated(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.nat({ max: seeds.length - 1 }), fc.array(change, { minLength: 1, maxLength: 6 }))
    .map(([i, changes]) =>
      changes.reduce<Buffer>(
        (before, change) => changed(before, change, seeds),
        Buffer.from(seeds[i] as Buffer),
      ),
    )
}

function changed(before: Buffer, change: Change, seeds: readonly Buffer[]): Buffer {
  const at = before.length === 0 ? 0 : change.at % before.length
  const rest = (length: number) => before.subarray(Math.min(at + length, before.length))
  const start = before.subarray(0, at)
  if (change.kind === 'end') return Buffer.from(start)
  if (change.kind === 'splice') {
    const other = seeds[change.other % seeds.length] as Buffer
    const spliced = Buffer.concat([start, other.subarray(change.from % Math.max(1, other.length))])
    // Or they would grow, and be slow to read.
    return spliced.subarray(0, Math.max(before.length, 2 ** 14))
  }
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
