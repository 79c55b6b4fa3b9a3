import { type ColumnType, type Field, typeName } from '../../define/types/column-type.js'
import { widens } from '../../plan/changes.js'
import { hasNameMapping, NAME_MAPPING, namesInFiles, type Properties } from './name-mapping.js'
import {
  decimalOf,
  type IcebergField,
  type IcebergType,
  type Schema,
  toColumnType,
} from './types.js'
import { fieldsWithin } from './updates/metadata-json.js'

/** Why columns of another engine's table can't be read, and what to do. */
export interface Unreadable {
  message: string
  hint: string
}

/** The columns that are read of another engine's table, with their field ids. */
export type ReadColumns = { fields: IcebergField[] } | { unreadable: Unreadable }

/**
 * The columns that are read of a table of another engine: those that are declared, with their types
 * as declared, or all of them.
 *
 * @param table with all schemas that it has had: older files may follow them.
 */
export function columnsToRead(
  current: Schema,
  { schemas, properties }: { schemas: readonly Schema[]; properties?: Properties },
  declared: readonly Field[] | undefined,
): ReadColumns {
  const found = declared
    ? declaredFields(current, declared)
    : ({ fields: current.fields } satisfies ReadColumns)
  if ('unreadable' in found) return found
  const unreadable = unreadableIn(found.fields, schemas) ?? unmappedIn(properties)
  return unreadable ? { unreadable } : found
}

function declaredFields(current: Schema, declared: readonly Field[]): ReadColumns {
  const missing = declared.filter(({ name }) => !current.fields.some((f) => f.name === name))
  if (missing.length > 0)
    return {
      unreadable: {
        message: `it has no column ${missing.map(({ name }) => `'${name}'`).join(', ')}`,
        hint: `Declare the columns that it has: ${current.fields.map(({ name }) => name).join(', ')}`,
      },
    }
  const fields: IcebergField[] = []
  for (const column of declared) {
    const field = current.fields.find(({ name }) => name === column.name) as IcebergField
    const type = readAs(field.type, column.type)
    if (type === undefined)
      return {
        unreadable: {
          message: `its column '${column.name}' is ${shown(field.type)}, not ${typeName(column.type)} as declared`,
          hint: 'Declare the type that it has, or a wider one, and cast it in SQL.',
        },
      }
    fields.push({ ...field, type })
  }
  return { fields }
}

const texts = ['string', 'json', 'uuid']

/**
 * The type by which a column is read that is declared so; `undefined` where values would change.
 */
function readAs(actual: IcebergType, declared: ColumnType): IcebergType | undefined {
  const type = toColumnType(actual)
  if (stored(type) === stored(declared)) return actual
  if (typeof actual !== 'string' || !widens(typeName(type), typeName(declared))) return undefined
  if (declared.kind === 'decimal') return `decimal(${declared.precision}, ${declared.scale})`
  return declared.kind === 'bigint' ? 'long' : declared.kind
}

/** A type by what is stored: checked texts are texts. */
function stored(type: ColumnType): string {
  if (texts.includes(type.kind)) return 'string'
  if (type.kind === 'list') return `list<${stored(type.element)}>`
  if (type.kind === 'map') return `map<${stored(type.key)}, ${stored(type.value)}>`
  if (type.kind === 'struct')
    return `struct<${type.fields.map((f) => `${f.name}: ${stored(f.type)}`).join(', ')}>`
  return typeName(type)
}

const shown = (type: IcebergType) => typeName(toColumnType(type))

function unreadableIn(
  fields: readonly IcebergField[],
  schemas: readonly Schema[],
): Unreadable | undefined {
  const names = fields.map(({ name }) => name.toLowerCase())
  const twice = fields.find(({ name }, i) => names.indexOf(name.toLowerCase()) !== i)
  if (twice)
    return {
      message: `two of its columns are called '${twice.name}' but for the case of letters, which SQL does not tell apart`,
      hint: 'Rename one of them, or declare the columns that are read: { columns: { … } }',
    }
  for (const { id, name, type } of fields) {
    const odd = unknownType(type)
    if (odd !== undefined)
      return {
        message: `the type ${odd} of its column '${name}' is not supported`,
        hint: 'Declare the columns that are read, without this one: { columns: { … } }',
      }
    const older = schemas.flatMap((schema) => schema.fields.find((f) => f.id === id) ?? [])
    const changed = older.map((before) => renamedWithin(before.type, type)).find(Boolean)
    if (changed)
      return {
        message: `within its column '${name}', ${changed}: older files cannot be read by the new names`,
        hint: 'Declare the columns that are read, without this one, or copy the table into a new one.',
      }
  }
  return undefined
}

/** Why columns can't be found by their names, in files without field ids. */
const unmappedIn = (properties: Properties): Unreadable | undefined =>
  !hasNameMapping(properties) || namesInFiles(properties)
    ? undefined
    : {
        message: `its property ${NAME_MAPPING} is not a name mapping`,
        hint: 'Have its engine set it again, or remove it if all files have field ids.',
      }

/** Whether files without field ids are read by the same names. */
export const haveSameNames = (
  a: { properties?: Properties },
  b: { properties?: Properties },
): boolean => a.properties?.[NAME_MAPPING] === b.properties?.[NAME_MAPPING]

const primitives = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'uuid',
  'binary',
]

/** A type that is none of version 2, or that can't be read where it is within another. */
function unknownType(type: IcebergType, within = false): string | undefined {
  if (typeof type === 'string') {
    if (within && type === 'uuid') return 'uuid within another'
    const known = primitives.includes(type) || decimalOf(type) || /^fixed\[\d+\]$/.test(type)
    return known ? undefined : type
  }
  const parts =
    type.type === 'struct'
      ? type.fields.map((field) => field.type)
      : type.type === 'list'
        ? [type.element]
        : type.type === 'map'
          ? [type.key, type.value]
          : undefined
  if (!parts) return String((type as { type: unknown }).type)
  return parts.map((part) => unknownType(part, true)).find((odd) => odd !== undefined)
}

/**
 * How names within a type have changed, where an earlier one has the same fields under other names,
 * or others under the same: fields within columns are found by their names.
 */
function renamedWithin(before: IcebergType, after: IcebergType): string | undefined {
  const [old, now] = [namesOf(before), namesOf(after)]
  for (const [id, path] of now) {
    const was = old.get(id)
    if (was !== undefined && was !== path) return `'${was}' is now called '${path}'`
    const other = [...old].find(([id2, path2]) => path2 === path && id2 !== id)
    if (other) return `'${path}' is not what was called so before`
  }
  return undefined
}

/** The paths of named fields within a type, by their ids. */
function namesOf(type: IcebergType, above = ''): Map<number, string> {
  if (typeof type === 'string') return new Map()
  if (type.type === 'list') return namesOf(type.element, above)
  if (type.type === 'map')
    return new Map([...namesOf(type.key, `${above}key.`), ...namesOf(type.value, `${above}value.`)])
  return new Map(
    type.fields.flatMap((field) => [
      [field.id, `${above}${field.name}`] as const,
      ...namesOf(field.type, `${above}${field.name}.`),
    ]),
  )
}

/** Whether two sets of columns have the same fields under the same names and types. */
export function areSameColumns(a: readonly IcebergField[], b: readonly IcebergField[]): boolean {
  const text = (fields: readonly IcebergField[]) =>
    JSON.stringify(fields.map(({ id, name, type }) => [id, name, type, ...idsWithin(type)]))
  return text(a) === text(b)
}

const idsWithin = (type: IcebergType) => [...fieldsWithin(type)].map(({ id }) => id)
