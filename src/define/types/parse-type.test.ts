import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ColumnType, type ScalarKind, typeName } from './column-type.js'
import { typeNamed } from './parse-type.js'

const kinds: ScalarKind[] = [
  'string',
  'json',
  'int',
  'bigint',
  'double',
  'timestamp',
  'timestamptz',
]
const { type } = fc.letrec<{ type: ColumnType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...kinds).map((kind): ColumnType => ({ kind })),
    fc.constant<ColumnType>({ kind: 'decimal', precision: 12, scale: 2 }),
    tie('type').map((element): ColumnType => ({ kind: 'list', element })),
    fc
      .tuple(tie('type'), tie('type'))
      .map(([key, value]): ColumnType => ({ kind: 'map', key, value })),
    fc
      .array(fc.record({ name: fc.stringMatching(/^[a-z ]{1,5}$/), type: tie('type') }), {
        minLength: 1,
        maxLength: 3,
      })
      .map((fields): ColumnType => ({ kind: 'struct', fields })),
  ),
}))

it('the words for a type are read as that type', () => {
  fc.assert(
    fc.property(type, (one) => {
      expect(typeNamed(typeName(one))).toEqual(one)
    }),
  )
})

it.each(['', 'strings', 'list<int', 'map<int>', 'struct<>', 'decimal(1)', 'int, int'])(
  'other words are none: %s',
  (text) => expect(typeNamed(text)).toBeUndefined(),
)
