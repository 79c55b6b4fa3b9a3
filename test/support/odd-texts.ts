import fc from 'fast-check'

/** Texts that are nearly numbers, or that others read as something else. */
export const oddTexts = [
  '',
  ' ',
  '+5',
  ' 7 ',
  '007',
  '1.0',
  '1e3',
  '1e400',
  '1e-400',
  '.5',
  '5.',
  '0x1F',
  '1_0',
  'NaN',
  'inf',
  'TRUE',
  'f',
  '٣',
  'a@b.co',
  'http://x.y/z',
  '2147483648',
  '-9223372036854775808',
]

/** Texts of any kind: letters of all scripts, spaces that look alike, numbers beyond all types. */
export const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ unit: fc.constantFrom(...'aA1 \t@._-İßſΣς\u00a0\u2028😀éа'), maxLength: 7 }),
  fc.integer({ min: -30, max: 60 }).map(String),
  fc.double().map(String),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
)
