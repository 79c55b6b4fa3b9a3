import type { z } from 'zod'
import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyDataset, Gold, Silver, Sql } from '../define/model.js'
import { renderSql } from '../define/sql/sql.js'
import { normalSql } from '../define/sql/sql-normal.js'
import { typeName } from '../define/types/column-type.js'
import { readings } from '../define/types/reading.js'
import { columnTypeOf, defOf } from '../define/types/schema.js'
import { sqlType } from '../define/types/sql-type.js'
import { stableText } from '../define/types/stable-text.js'
import { columnHints } from '../define/types/values.js'
import type { Definition } from '../log/commit.js'
import { ownValue } from '../own-value.js'

/** Raised when the same definition would give other rows than before. */
const MEANING = '2'

type Hash = (text: string) => string
type Parts = Record<string, string | { type: string; text: string }>

/**
 * What a dataset's rows depend on, part by part: names, checks and SQL count; descriptions, owners,
 * schedules, formatting and comments do not, nor do rules that only warn.
 */
export function definitionOf(dataset: AnyDataset, hash: Hash): Definition {
  const { hash: by, definition } = known.get(dataset) ?? {}
  if (definition && by === hash) return definition
  const found = hashed(dataset, hash)
  known.set(dataset, { hash, definition: found })
  return found
}

/** A run asks many times, and a dataset stays what it is. */
const known = new WeakMap<AnyDataset, { hash: Hash; definition: Definition }>()

function hashed(dataset: AnyDataset, hash: Hash): Definition {
  const parts =
    dataset.tier === 'silver'
      ? silverParts(dataset)
      : dataset.tier === 'gold'
        ? goldParts(dataset)
        : {}
  const short = (text: string) => hash(text).slice(0, 16)
  // Columns carry their type before the hash, so that a change can be told apart and shown.
  const entries = Object.entries(parts).map(([name, part]) => [
    name,
    typeof part === 'string' ? short(part) : `${part.type} ${short(part.text)}`,
  ])
  return { meaning: MEANING, ...Object.fromEntries(entries) }
}

/** All that the rows of a lake depend on, as one hash: what its commits say they were made by. */
export function lakeDefinition(datasets: readonly AnyDataset[], hash: Hash): string {
  const own = datasets.map((dataset) => [fullName(dataset), definitionOf(dataset, hash)])
  return hash(JSON.stringify(own.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))))
}

function silverParts(dataset: Silver<any>): Parts {
  const { schema, rules, deleteWhen } = dataset
  const columns = Object.entries(schema.shape) as [string, z.ZodType][]
  const telling = rules.filter((rule) => rule.severity !== 'warn')
  return {
    from: dataset.from.map(fullName).join(', '),
    key: JSON.stringify([dataset.key, dataset.cursor ?? null]),
    partitions: JSON.stringify(dataset.partitionBy),
    order: JSON.stringify(columns.map(([name]) => name)),
    ...(deleteWhen ? { deleteWhen: sqlText(deleteWhen) } : {}),
    ...(dataset.history ? { history: 'true' } : {}),
    ...externalParts(dataset),
    ...compressionPart(dataset),
    ...(dataset.onInvalidUpdate === 'keep' ? {} : { onInvalidUpdate: dataset.onInvalidUpdate }),
    ...Object.fromEntries(
      columns.map(([name, column]) => [
        `column ${name}`,
        { type: typeName(columnTypeOf(column)), text: columnText(dataset, name) },
      ]),
    ),
    ...Object.fromEntries(
      telling.map((r) => [`rule ${r.name}`, `${r.severity} ${sqlText(r.condition)}`]),
    ),
    ...(schemaChecks(schema) ? { 'checks of the row': schemaChecks(schema) } : {}),
  }
}

/** What a column's values depend on: where they come from, and what they have to be. */
function columnText(
  { select, schema, severity }: Silver<any>,
  name: string,
  source = sourceText(ownValue(select, name) ?? name),
): string {
  return JSON.stringify([
    source,
    schemaText(schema.shape[name] as z.ZodType),
    ownValue(severity, name) ?? 'discard',
  ])
}

/**
 * What tells why the part of a column is another one: of columns that `select` names, a hash of
 * what they are computed from, and what their part would be if nothing were said of that.
 */
export function computedOf(dataset: AnyDataset, hash: Hash): Record<string, string> | undefined {
  if (dataset.tier !== 'silver') return undefined
  const short = (text: string) => hash(text).slice(0, 16)
  const names = Object.keys(dataset.schema.shape).filter((name) => ownValue(dataset.select, name))
  return Object.fromEntries(
    names.map((name) => {
      const source = sourceText(ownValue(dataset.select, name) ?? name)
      return [name, `${short(source)} ${short(columnText(dataset, name, sourceText(name)))}`]
    }),
  )
}

/** What is read of other engines' tables, where that is declared. */
function externalParts(dataset: Silver<any> | Gold<any>): Parts {
  const parts = inputsOf(dataset).flatMap((input) =>
    input.tier === 'external' && input.declared
      ? [[`external ${fullName(input)}`, shapeText(input.declared)] as const]
      : [],
  )
  return Object.fromEntries(parts)
}

function shapeText(declared: Readonly<Record<string, z.ZodType>>): string {
  const columns = Object.entries(declared).map(([name, schema]) => [
    name,
    sqlType(columnTypeOf(schema)),
  ])
  return JSON.stringify(columns)
}

function schemaChecks(schema: z.ZodType): string {
  const checks = (defOf(schema).checks ?? []) as unknown[]
  return checks.length > 0 ? JSON.stringify(checks, replacer) : ''
}

/**
 * The usual compression is no part of a definition: tables from before there was a choice have it.
 */
function compressionPart({ compression = 'zstd' }: Silver<any> | Gold<any>): Parts {
  return compression === 'zstd' ? {} : { compression }
}

function goldParts(dataset: Gold<any>): Parts {
  const declared = Object.entries(dataset.declared ?? {}) as [string, z.ZodType][]
  const { incremental } = dataset
  return {
    query: sqlText(dataset.query),
    partitions: JSON.stringify(dataset.partitionBy),
    ...(incremental ? { incremental: JSON.stringify(incremental) } : {}),
    ...Object.fromEntries(
      (dataset.dialects ?? []).map(({ dialect, sql }) => [`query for ${dialect}`, sqlText(sql)]),
    ),
    ...externalParts(dataset),
    ...compressionPart(dataset),
    ...(dataset.view ? { view: 'true' } : {}),
    ...Object.fromEntries(
      declared.map(([name, schema]) => {
        const type = columnTypeOf(schema)
        return [`column ${name}`, { type: typeName(type), text: sqlType(type) }]
      }),
    ),
  }
}

function sqlText(sql: Sql): string {
  return normalSql(renderSql(sql))
}

function sourceText(chosen: string | Sql): string {
  return typeof chosen === 'string' ? `column ${chosen}` : sqlText(chosen)
}

const numeric = ['int', 'bigint', 'float', 'double', 'decimal']

/**
 * A Zod schema as text: its definition, functions by their source. A number's width is left to its
 * type.
 */
function schemaText(schema: z.ZodType): string {
  return JSON.stringify(plainDef(schema as never), replacer)
}

function replacer(_: string, value: unknown): unknown {
  if (typeof value === 'function') return stableText(value)
  if (typeof value === 'bigint' || value instanceof RegExp) return String(value)
  if (value && typeof value === 'object' && '_zod' in value) return plainDef(value as never)
  return value
}

function plainDef(value: {
  _zod: { def: { type?: string; checks?: unknown; format?: string } }
}): object {
  const { def } = value._zod
  const hint = columnHints.get(value as never)
  const reading = readingPart(value)
  // A refine() is a check of type `custom`, without a type of its own.
  if (['number', 'bigint'].includes(def.type ?? '') || 'columnType' in value) {
    const { kind } = columnTypeOf(value as never)
    if (numeric.includes(kind))
      return { numeric: true, checks: def.checks ?? null, ...narrowerPart(def), ...reading }
  }
  return { ...def, ...(hint ? { hint } : {}), ...reading }
}

/** Formats of numbers that hold fewer values than the type that these are stored in. */
const narrower = ['uint32', 'float32', 'uint64']

function narrowerPart({ format }: { format?: string }): { format?: string } {
  return format !== undefined && narrower.includes(format) ? { format } : {}
}

/** What says how texts are read, beyond what the definition and the hint tell already. */
function readingPart(value: object): { reading?: object } {
  const {
    format: _,
    true: _yes,
    false: _no,
    ...reading
  } = readings.get(value as never)?.options ?? {}
  return Object.keys(reading).length > 0 ? { reading } : {}
}
