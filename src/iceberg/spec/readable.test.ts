import { describe, expect, it } from 'vitest'
import type { Field } from '../../define/types/column-type.js'
import { namesInFiles } from './name-mapping.js'
import { columnsToRead } from './readable.js'
import type { IcebergField, IcebergType, Schema } from './types.js'

const field = (id: number, name: string, type: IcebergType): IcebergField => {
  return { id, name, required: false, type }
}
const schema = (...fields: IcebergField[]): Schema => ({ type: 'struct', 'schema-id': 0, fields })
const whyNot = (
  current: Schema,
  declared?: Field[],
  older: Schema[] = [],
  properties: Record<string, string> = {},
) => {
  const found = columnsToRead(current, { schemas: [...older, current], properties }, declared)
  return 'unreadable' in found ? found.unreadable.message : undefined
}
const structOf = (...fields: IcebergField[]) => ({ type: 'struct', fields }) as const

describe('columns of another engine’s table', () => {
  it('are those that are declared, in their order, and as wide', () => {
    const table = schema(
      field(1, 'a', 'int'),
      field(2, 'b', 'float'),
      field(3, 'c', 'decimal(9, 2)'),
      field(4, 'd', 'uuid'),
      field(5, 'e', 'string'),
    )
    const found = columnsToRead(table, { schemas: [table] }, [
      { name: 'e', type: { kind: 'json' } },
      { name: 'd', type: { kind: 'uuid' } },
      { name: 'c', type: { kind: 'decimal', precision: 12, scale: 2 } },
      { name: 'b', type: { kind: 'double' } },
      { name: 'a', type: { kind: 'bigint' } },
    ])
    expect(found).toEqual({
      fields: [
        field(5, 'e', 'string'),
        field(4, 'd', 'uuid'),
        field(3, 'c', 'decimal(12, 2)'),
        field(2, 'b', 'double'),
        field(1, 'a', 'long'),
      ],
    })
  })

  it.each<[string, IcebergType, Field['type'], string]>([
    ['a narrower type', 'long', { kind: 'int' }, "its column 'x' is bigint, not int as declared"],
    [
      'digits that are lost',
      'decimal(9, 2)',
      { kind: 'decimal', precision: 9, scale: 1 },
      'not decimal(9,1)',
    ],
    ['text as a number', 'string', { kind: 'bigint' }, "'x' is string, not bigint"],
    ['another zone', 'timestamptz', { kind: 'timestamp' }, "'x' is timestamptz, not timestamp"],
    [
      'wider values within a list',
      { type: 'list', 'element-id': 2, element: 'int', 'element-required': false },
      { kind: 'list', element: { kind: 'bigint' } },
      "'x' is list<int>, not list<bigint>",
    ],
  ])('are refused with %s', (_, actual, declared, message) => {
    expect(whyNot(schema(field(1, 'x', actual)), [{ name: 'x', type: declared }])).toContain(
      message,
    )
  })

  it('are refused where SQL or the engine can not tell what they are', () => {
    expect(whyNot(schema(field(1, 'x', 'int'), field(2, 'X', 'int')))).toContain(
      'two of its columns',
    )
    expect(whyNot(schema(field(1, 'x', 'variant')))).toContain('the type variant')
    expect(whyNot(schema(field(1, 'x', structOf(field(2, 'u', 'uuid')))))).toContain('uuid within')
    // Who declares others has nothing to do with them.
    expect(
      whyNot(schema(field(1, 'x', 'variant'), field(2, 'y', 'int')), [
        { name: 'y', type: { kind: 'int' } },
      ]),
    ).toBeUndefined()
  })

  it('are refused where older files have fields within them under other names', () => {
    const now = schema(field(1, 'place', structOf(field(2, 'zip', 'int'))))
    const renamed = schema(field(1, 'place', structOf(field(2, 'plz', 'int'))))
    const another = schema(field(1, 'place', structOf(field(9, 'zip', 'int'))))
    const fewer = schema(field(1, 'old', structOf()))
    expect(whyNot(now, undefined, [renamed])).toContain("'plz' is now called 'zip'")
    expect(whyNot(now, undefined, [another])).toContain("'zip' is not what was called so before")
    expect(whyNot(now, undefined, [fewer])).toBeUndefined()
  })

  it('have a name mapping that tells all of their names, where files have no field ids', () => {
    const mapped = (value: unknown) => ({ 'schema.name-mapping.default': JSON.stringify(value) })
    const plain = schema(
      field(1, 'a', 'int'),
      field(2, 'b', { type: 'list', 'element-id': 3, element: 'int', 'element-required': false }),
    )
    const one = { 'field-id': 1, names: ['a', 'A', 'x'] }
    expect(whyNot(plain, undefined, [], mapped([one, { names: ['b'] }]))).toBeUndefined()
    const nested = schema(field(1, 'a', 'int'), field(2, 's', structOf(field(3, 'x', 'int'))))
    const within = { 'field-id': 2, names: ['s'], fields: [{ 'field-id': 3, names: ['x', 'y'] }] }
    expect(whyNot(nested, undefined, [], mapped([one, within]))).toBeUndefined()
    expect(namesInFiles(mapped([one, within]))).toEqual({ 1: ['a', 'x'], 2: ['s'], 3: ['x', 'y'] })
    for (const fields of [7, [7], [{ names: ['x'] }, { names: ['X'] }]])
      expect(whyNot(nested, undefined, [], mapped([{ ...within, fields }]))).toContain(
        'is not a name mapping',
      )
    for (const bad of [1, {}, [1], [{ 'field-id': 1 }], [{ names: [7] }], [one, { names: ['X'] }]])
      expect(whyNot(plain, undefined, [], mapped(bad))).toContain('is not a name mapping')
  })
})
