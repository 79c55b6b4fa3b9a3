import type { ColumnType, Field, ScalarKind } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'

const scalars: Readonly<Record<string, ScalarKind>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'int',
  SMALLINT: 'int',
  INTEGER: 'int',
  UTINYINT: 'int',
  USMALLINT: 'int',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  FLOAT: 'float',
  DOUBLE: 'double',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  BLOB: 'binary',
}

/** Whole numbers that 64 bits with a sign don't hold. */
const wide: Readonly<Record<string, number>> = { UBIGINT: 20, HUGEINT: 38 }

/**
 * The type of a result's column by the engine's name of it (`DECIMAL(12,2)`), for files that
 * results are written to; what has no counterpart (intervals, maps, times of day) is its text. A
 * type stays as it is.
 */
export function resultType(name: string | ColumnType): ColumnType {
  if (typeof name !== 'string') return name
  const list = /^(.*)\[\]$/s.exec(name)
  if (list) return { kind: 'list', element: resultType(list[1] as string) }
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(name)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  const struct = /^STRUCT\((.*)\)$/s.exec(name)
  if (struct) return { kind: 'struct', fields: fieldsIn(struct[1] as string) }
  const precision = wide[name]
  if (precision !== undefined) return { kind: 'decimal', precision, scale: 0 }
  return { kind: scalars[name] ?? 'string' }
}

/** Formats of files have no whole numbers with more digits. */
const MOST = 10n ** 38n

/** @throws MoraineError of kind `query` for a number that no decimal holds. */
export function checkedWide(value: bigint): bigint {
  if (value < MOST && value > -MOST) return value
  throw new MoraineError('query', `${value} has more digits than the 38 that this format has`, {
    hint: 'Cast the column to VARCHAR.',
  })
}

/** Fields of a struct: `a INTEGER, "b ""c""" DECIMAL(5,2)[]`. */
function fieldsIn(text: string): Field[] {
  const fields = partsOf(text).map((part) => {
    if (unnamed.includes(part)) return { name: '', type: resultType(part) }
    const [all = '', quoted, plain = ''] = /^(?:"((?:[^"]|"")*)"|(\S+)) /.exec(part) ?? []
    const name = quoted === undefined ? plain : quoted.replaceAll('""', '"')
    return { name, type: resultType(part.slice(all.length)) }
  })
  if (fields.some(({ name }) => name === ''))
    throw new MoraineError('query', 'A struct whose fields have no names cannot be written', {
      hint: "Name them: {'a': 1, 'b': 2}",
    })
  return fields
}

/** Types with spaces in their names, which look like a field with a type. */
const unnamed = ['TIMESTAMP WITH TIME ZONE', 'TIME WITH TIME ZONE']

/** What stands between commas that are in no brackets and quotes. */
function partsOf(text: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  for (const [found] of text.matchAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|, |./gs)) {
    if (found === '(' || found === '[') depth++
    if (found === ')' || found === ']') depth--
    if (found === ', ' && depth === 0) parts.push('')
    else parts[parts.length - 1] += found
  }
  return parts
}
