import { z } from 'zod'
import { type ColumnType, type Field, sameType, typeName } from './column-type.js'
import { columnHints } from './values.js'

/** A schema that has no column type; the message says why and what to write instead. */
export class UntypedColumn extends Error {}

type Def = { type: string; [key: string]: any }

/** The definition behind a Zod schema, as Zod 4 documents it for library authors. */
export function defOf(schema: z.ZodType): Def {
  return schema._zod.def as unknown as Def
}

const formats: Record<string, ColumnType> = {
  safeint: { kind: 'bigint' },
  int32: { kind: 'int' },
  uint32: { kind: 'bigint' },
  float32: { kind: 'double' },
  float64: { kind: 'double' },
}

/**
 * The column type in which values of a Zod schema are stored.
 *
 * @throws UntypedColumn when there is none.
 */
export function columnTypeOf(schema: z.ZodType): ColumnType {
  if ('columnType' in schema) return schema.columnType as ColumnType
  const hint = columnHints.get(schema)
  if (hint) return hint.columnType
  const def = defOf(schema)
  const reader = readers[def.type]
  if (!reader) throw new UntypedColumn(`z.${def.type}() has no column type; use one of t.*`)
  return reader(def, schema)
}

type Reader = (def: Def, schema: z.ZodType) => ColumnType

const inner: Reader = (def) => columnTypeOf(def.innerType)

const readers: Record<string, Reader> = {
  string: () => ({ kind: 'string' }),
  enum: (def) => literalType(Object.values(def.entries)),
  literal: (def) => literalType(def.values),
  number: (def) => formats[numberFormat(def)] ?? { kind: 'double' },
  bigint: () => ({ kind: 'bigint' }),
  boolean: () => ({ kind: 'boolean' }),
  optional: inner,
  nullable: inner,
  default: inner,
  prefault: inner,
  nonoptional: inner,
  readonly: inner,
  catch: inner,
  pipe: (def) => {
    if (defOf(def.out).type === 'transform')
      throw new UntypedColumn(
        'the type returned by transform() is unknown; end it with .pipe(t.…()), such as .transform(f).pipe(t.int())',
      )
    return columnTypeOf(def.out)
  },
  array: (def) => ({ kind: 'list', element: columnTypeOf(def.element) }),
  object: (def) => ({ kind: 'struct', fields: fieldsOfShape(def.shape) }),
  union: (def) => {
    const types = def.options.map(columnTypeOf) as ColumnType[]
    const [first] = types as [ColumnType]
    if (types.every((type) => sameType(type, first))) return first
    const names = types.map(typeName).join(' and ')
    throw new UntypedColumn(`a column has one type, but this union mixes ${names}`)
  },
  date: () => {
    throw new UntypedColumn('z.date() has only milliseconds; use t.date() or t.timestamp()')
  },
}

/** `int32`, `safeint` and the like, whether it is the schema's own or came with `.int()`. */
function numberFormat(def: Def): string {
  const checks: { _zod: { def: Def } }[] = def.checks ?? []
  const check = checks.find((c) => c._zod.def.check === 'number_format')
  return def.format ?? check?._zod.def.format ?? 'float64'
}

function literalType(values: readonly unknown[]): ColumnType {
  const kinds = new Set(values.map((value) => typeof value))
  const [kind] = kinds
  if (kinds.size === 1) {
    if (kind === 'string') return { kind: 'string' }
    if (kind === 'bigint') return { kind: 'bigint' }
    if (kind === 'boolean') return { kind: 'boolean' }
    if (kind === 'number') return { kind: values.every(Number.isInteger) ? 'bigint' : 'double' }
  }
  throw new UntypedColumn('all values of a literal or an enum must have the same type')
}

/** The columns of an object schema, with their descriptions. */
export function fieldsOfShape(shape: Readonly<Record<string, z.ZodType>>): Field[] {
  return Object.entries(shape).map(([name, schema]) => {
    const description = describedAs(schema)
    return { name, type: columnTypeOf(schema), ...(description ? { description } : {}) }
  })
}

/** The text given with `.describe()`, also when `.optional()` and the like come after it. */
function describedAs(schema: z.ZodType): string | undefined {
  const found = z.globalRegistry.get(schema)?.description
  if (found !== undefined) return found
  const { innerType } = defOf(schema)
  return innerType ? describedAs(innerType) : undefined
}
