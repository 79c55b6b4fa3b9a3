import type { ColumnStatistics, DataFile, ManifestFile } from './manifest.js'
import {
  applyTransform,
  isKnownTransform,
  keepsOrder,
  type PartitionSpec,
  parseTransform,
  resultType,
} from './transforms.js'
import type { Schema } from './types.js'
import { compareValues, decodeValue, isComparable, parseValue, type Value } from './values.js'

/** One condition that all wanted rows meet; values as SQL would print them. */
export interface Predicate {
  column: string
  op: '=' | '<' | '<=' | '>' | '>=' | 'in' | 'is null' | 'is not null'
  values: readonly string[]
}

interface Range {
  lower: Value | undefined
  upper: Value | undefined
  mayHaveNull: boolean
  allNull: boolean
  /** NaN is greater than all numbers, and no bound tells of it. */
  mayHaveNan: boolean
}

/** Whether a data file may hold a row that meets all predicates. */
export function fileMayMatch(
  file: DataFile,
  predicates: readonly Predicate[],
  schema: Schema,
): boolean {
  return predicates.every((predicate) => {
    const column = schema.fields.find(
      (f) => f.name.toLowerCase() === predicate.column.toLowerCase(),
    )
    const statistics = column && file.columns.get(column.id)
    if (!statistics || typeof column.type !== 'string') return true
    return mayMatch(rangeOf(statistics, column.type, file.rows), predicate, column.type)
  })
}

function rangeOf(statistics: ColumnStatistics, type: string, rows: number): Range {
  const { lower, upper, nulls, nans } = statistics
  return {
    lower: boundOf(lower, type),
    upper: boundOf(upper, type),
    mayHaveNull: nulls === undefined || nulls > 0,
    allNull: nulls !== undefined && nulls === rows,
    mayHaveNan: isFloating(type) && nans !== 0,
  }
}

/**
 * A bound as a value; nothing is known by bounds that are no numbers, nor of types whose values are
 * not compared.
 */
function boundOf(bytes: Uint8Array | null | undefined, type: string): Value | undefined {
  if (!bytes || !isComparable(type)) return undefined
  const value = decodeValue(bytes, type)
  return Number.isNaN(value) ? undefined : value
}

function mayMatch(range: Range, { op, values }: Predicate, type: string): boolean {
  if (op === 'is null') return range.mayHaveNull
  if (range.allNull) return false
  const wanted = values.map((text) => parseValue(text, type))
  if (op === 'is not null' || wanted.some((value) => value === undefined)) return true
  // What is compared as a `DOUBLE` may be nearly the number of single precision.
  const own = type === 'float' ? orEqual(op) : op
  return wanted.some((value) => compareRange(range, own, value as Value))
}

function compareRange(range: Range, op: Predicate['op'], value: Value): boolean {
  const { lower, upper, mayHaveNan } = range
  if (mayHaveNan && (op === '>' || op === '>=')) return true
  const belowUpper = upper === undefined || compareValues(value, upper) <= 0
  const aboveLower = lower === undefined || compareValues(value, lower) >= 0
  switch (op) {
    case '<':
      return lower === undefined || compareValues(lower, value) < 0
    case '<=':
      return aboveLower
    case '>':
      // A cut upper bound of a text lies above all values, so "greater" stays possible.
      return upper === undefined || compareValues(upper, value) > 0
    case '>=':
      return belowUpper
    default:
      return belowUpper && aboveLower
  }
}

const orEqual = (op: Predicate['op']) => (op === '<' ? '<=' : op === '>' ? '>=' : op)

const times = ['date', 'timestamp', 'timestamptz']

const isFloating = (type: string) => type === 'float' || type === 'double'

/** Whether a manifest may list a file with matching rows, by its partition summaries. */
export function manifestMayMatch(
  manifest: ManifestFile,
  predicates: readonly Predicate[],
  schema: Schema,
  spec: PartitionSpec,
): boolean {
  const { partitions } = manifest
  if (!partitions) return true
  return spec.fields.every((field, i) => {
    const source = schema.fields.find((f) => f.id === field['source-id'])
    const summary = partitions[i]
    if (!source || !summary || typeof source.type !== 'string') return true
    // What becomes of values in a transform that is not known, nobody can say.
    if (!isKnownTransform(field.transform)) return true
    const type = resultType(field.transform, source.type)
    const mayHaveNan = isFloating(type) && summary.contains_nan !== false
    const range: Range = {
      lower: boundOf(summary.lower_bound, type),
      upper: boundOf(summary.upper_bound, type),
      mayHaveNull: summary.contains_null,
      allNull: !summary.lower_bound && summary.contains_null && !mayHaveNan,
      mayHaveNan,
    }
    return predicates
      .filter((p) => p.column.toLowerCase() === source.name.toLowerCase())
      .every((p) => projectedMayMatch(range, p, field.transform, source.type as string))
  })
}

/** A predicate on the source, asked of the transform's result (spec, inclusive projection). */
function projectedMayMatch(range: Range, predicate: Predicate, transform: string, source: string) {
  const { op, values } = predicate
  if (op === 'is null') return range.mayHaveNull
  // Of `infinity` no year or day is known: its partition is that of rows without a time.
  const mayHaveEndless = range.mayHaveNull && times.includes(source)
  if (range.allNull && !mayHaveEndless) return false
  const wanted = values.map((text) => parseValue(text, source))
  if (op === 'is not null' || wanted.some((value) => value === undefined)) return true
  const equality = op === '=' || op === 'in'
  if (mayHaveEndless && !equality) return true
  if (range.allNull) return false
  if (!equality && !keepsOrder(transform)) return true
  const strict = parseTransform(transform).name === 'identity'
  const projected = strict && source !== 'float' ? op : orEqual(op)
  return wanted.some((value) =>
    compareRange(range, projected, applyTransform(transform, value as Value, source)),
  )
}
