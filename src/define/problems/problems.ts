import type { z } from 'zod'
import type { Problem } from '../../errors.js'
import { fullName } from '../dataset.js'
import { secondsOf } from '../interval.js'
import type { AnyDataset, AnyInput, Gold, Silver } from '../model.js'
import { nearest } from '../nearest.js'
import { isType } from '../options/expected.js'
import { partitionFieldName, partitionProblem } from '../partition.js'
import { keepProblems } from '../retention.js'
import { scheduleProblem } from '../schedule.js'
import { historiesIn } from '../sql/sql.js'
import { type ColumnType, type Field, typeName } from '../types/column-type.js'
import { columnTypeOf, UntypedColumn } from '../types/schema.js'
import { bronzeProblems } from './bronze-problems.js'
import { Collector, columnNameProblems } from './collector.js'
import { acceptsMissing, checkProblems, inputColumnProblems } from './column-problems.js'
import { described } from './described.js'
import { isBroken } from './mistakes.js'
import { readingProblems, unreadProblems } from './reading-problems.js'

/** What is wrong with one dataset, taken by itself, and with its name among all. */
export function problemsOf(dataset: AnyDataset, all: readonly AnyInput[]): Problem[] {
  // What its options lack is said already; the rest would be about what stands in their place.
  if (isBroken(dataset)) return []
  const collect = new Collector(dataset)
  if (!/^[a-z][a-z0-9_]*$/i.test(dataset.name))
    collect.add(
      `The name '${dataset.name}' must start with a letter and contain only letters, digits and '_'`,
      dataset.name,
    )
  const schedule = dataset.about.schedule && scheduleProblem(dataset.about.schedule)
  if (schedule) collect.add(schedule, 'schedule')
  const { freshWithin } = dataset.about
  if (freshWithin !== undefined && secondsOf(freshWithin) === undefined)
    collect.add(
      `freshWithin: '${freshWithin}' is not a duration`,
      `'${freshWithin}'`,
      "Write it as '30m', '12h' or '2d'",
    )
  if (dataset.tier === 'bronze') bronzeProblems(dataset, collect, all)
  if (dataset.tier === 'silver') silverProblems(dataset, collect)
  if (dataset.tier === 'gold') goldProblems(dataset, collect)
  return collect.problems
}

function silverProblems(dataset: Silver<any>, collect: Collector): void {
  if (dataset.engine?.engine === 'trino')
    collect.add(
      'engine: Trino computes gold alone, as silver may need the JavaScript of its schema',
      'engine',
      'Remove engine, or use workers(…) or spark(…)',
    )
  if (dataset.from.length === 0) collect.add('from does not list any datasets', 'from')
  for (const input of dataset.from)
    if (input.tier === 'gold' && input.view)
      collect.add(
        `from: gold.${input.name} is a view, and views have no rows to read incrementally`,
        'from',
        'Read the inputs of the view instead, or store its rows: remove view: true',
      )
  const fields = typedFields(dataset.schema.shape, collect)
  keepProblems(dataset, dataset.schema.shape, collect)
  const names = Object.keys(dataset.schema.shape)
  columnNameProblems(names, collect, (name) => `${name}:`)
  for (const column of dataset.key) {
    if (!names.includes(column)) collect.unknown('key', column, names)
    const field = fields.find(({ name }) => name === column)
    if (field && acceptsMissing(dataset.schema.shape[column]))
      collect.add(
        `key '${column}' is optional, but every row needs a key`,
        `${column}:`,
        'Remove .optional(), .nullable() or .default()',
      )
    if (field?.type.kind === 'list' || field?.type.kind === 'struct')
      collect.add(`key '${column}' is a ${field.type.kind}; a key must be a scalar`, column)
  }
  for (const column of dataset.identifies)
    if (!names.includes(column)) collect.unknown('identifies', column, names)
  if (dataset.cursor !== undefined && !names.includes(dataset.cursor))
    collect.unknown('cursor', dataset.cursor, names)
  if (dataset.cursor !== undefined && dataset.key.length === 0)
    collect.add('a cursor picks the latest row of each key, but there is no key', 'cursor')
  if (dataset.key.length === 0 && (dataset.deleteWhen || dataset.onInvalidUpdate === 'remove'))
    collect.add(
      `${dataset.deleteWhen ? 'deleteWhen' : 'onInvalidUpdate'} deletes rows by key, but there is no key`,
      dataset.deleteWhen ? 'deleteWhen' : 'onInvalidUpdate',
      "Add the columns that identify a row: key: 'id'",
    )
  if (dataset.history) historyProblems(dataset, names, collect)
  if (dataset.history && dataset.writes)
    collect.add(
      'writes: a history would not have the versions that other engines write',
      'writes',
      'Remove writes, or history',
    )
  checkProblems(dataset, names, collect)
  for (const part of ['select', 'severity'] as const)
    for (const column of Object.keys(dataset[part]))
      if (!names.includes(column)) collect.unknown(part, column, names, `${column}:`)
  ruleProblems(dataset, collect)
  partitionProblems(dataset, fields, collect)
  inputColumnProblems(dataset, collect)
}

function historyProblems(
  { from, key, cursor, schema }: Silver<any>,
  names: readonly string[],
  collect: Collector,
): void {
  const full = from.find(
    (d) =>
      d.tier === 'bronze' &&
      ('cursor' in d.from ? !d.from.cursor : 'full' in d.from && d.from.full),
  )
  if (full)
    collect.add(
      `full extracts (${fullName(full)}) cannot have a history: they do not show when a row disappeared`,
      'history',
      'Remove history, or read what changes: without full, or by a cursor',
    )
  if (key.length === 0 || cursor === undefined)
    collect.add(
      'history needs a key (what a version belongs to) and a cursor (when it starts)',
      'history',
      "Add key: '…' and cursor: '…'",
    )
  else if (names.includes(cursor) && acceptsMissing(schema.shape[cursor]))
    collect.add(
      `cursor '${cursor}' is optional, but each version needs a start time`,
      `${cursor}:`,
      'Remove .optional(), .nullable() or .default()',
    )
  for (const name of ['valid_from', 'valid_to'])
    if (names.includes(name))
      collect.add(
        `column '${name}' has a name that is reserved for its history`,
        `${name}:`,
        'Give it another name',
      )
}

/** The columns of a shape whose types are good; what is wrong with the others is collected. */
export function typedFields(
  shape: Record<string, z.ZodType>,
  collect: Collector,
  problemsOfReading = readingProblems,
): Field[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    if (!isType(schema)) {
      collect.add(
        `column '${name}' has no type: it is ${described(schema)}`,
        `${name}:`,
        typeof schema === 'function'
          ? 'Call it, for example t.bigint()'
          : 'Write t.bigint(), t.string() and so on',
      )
      return []
    }
    try {
      const type = columnTypeOf(schema)
      const problem = decimalProblem(type)
      if (problem) collect.add(`column '${name}': ${problem}`, `${name}:`)
      problemsOfReading(name, schema, collect)
      return [{ name, type }]
    } catch (error) {
      if (!(error instanceof UntypedColumn)) throw error
      collect.add(`column '${name}': ${error.message}`, `${name}:`)
      return []
    }
  })
}

function decimalProblem(type: ColumnType): string | undefined {
  if (type.kind !== 'decimal') return undefined
  const { precision, scale } = type
  const good = Number.isInteger(precision) && Number.isInteger(scale)
  return good && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision
    ? undefined
    : `${typeName(type)} needs a precision from 1 to 38 and a scale from 0 to that precision`
}

function ruleProblems({ rules }: Silver<any>, collect: Collector): void {
  const seen = new Set<string>()
  for (const { name } of rules) {
    if (name.trim() === '') collect.add('a rule has no name', 'rule(')
    if (seen.has(name)) collect.add(`two rules are named '${name}'`, name)
    seen.add(name)
  }
}

function partitionProblems(
  { partitionBy }: Silver<any> | Gold<any>,
  fields: readonly Field[],
  collect: Collector,
): void {
  const called = partitionBy.map(partitionFieldName)
  for (const [i, partition] of partitionBy.entries()) {
    const field = fields.find(({ name }) => name === partition.column)
    const names = fields.map(({ name }) => name)
    if (!field) collect.unknown('partitionBy', partition.column, names)
    const problem = field && partitionProblem(partition, field.type)
    const { transform, column } = partition
    const near = transform === 'identity' ? `'${column}'` : `${transform}('${column}'`
    if (problem) collect.add(`partitionBy: ${problem}`, near)
    const name = called[i] as string
    if (called.indexOf(name) < i)
      collect.add(`partitionBy: two partitions are called ${name}`, near, 'Leave one of them out')
    if (transform !== 'identity' && names.includes(name))
      collect.add(
        `partitionBy: the partitions of ${transform}('${column}') are called ${name}, and so is a column: other engines open no table that has both`,
        near,
        'Give the column another name, by select',
      )
  }
}

function incrementalProblems(
  { incremental, declared, query }: Gold<any>,
  collect: Collector,
): void {
  if (!incremental) return
  if (historiesIn(query).length > 0)
    collect.add(
      'incremental: the history of a dataset cannot be read by partitions',
      'incremental',
      'Remove incremental: the whole table is recomputed when an input changes',
    )
  const { by, affects } = incremental
  const names = declared && Object.keys(declared)
  if (names && !names.includes(by)) {
    const similar = nearest(by, names)
    collect.add(
      `incremental: by '${by}' is not a column of the result`,
      `'${by}'`,
      similar ? `Did you mean '${similar}'?` : `The columns are: ${names.join(', ')}`,
    )
  }
  const reach = [affects?.before ?? 0, affects?.after ?? 0]
  if (reach.some((n) => !Number.isInteger(n) || n < 0))
    collect.add('incremental: affects needs whole numbers, 0 or more', 'affects')
}

/** A view has no rows of its own, and so nothing that is about rows which are stored. */
function viewProblems(dataset: Gold<any>, collect: Collector): void {
  if (!dataset.view) return
  const { partitionBy, incremental, checks, keep, compression, writes } = dataset
  const given = {
    partitionBy: partitionBy.length > 0,
    incremental,
    checks: checks.length > 0,
    keep,
    compression,
    writes,
  }
  for (const [option, value] of Object.entries(given))
    if (value)
      collect.add(
        `${option}: a view stores its query, not its rows`,
        option,
        `Remove ${option}, or view: true`,
      )
}

function goldProblems(dataset: Gold<any>, collect: Collector): void {
  checkProblems(dataset, dataset.declared && Object.keys(dataset.declared), collect)
  viewProblems(dataset, collect)
  incrementalProblems(dataset, collect)
  keepProblems(dataset, dataset.declared, collect)
  if (!dataset.declared) return
  const fields = typedFields({ ...dataset.declared }, collect, unreadProblems)
  columnNameProblems(Object.keys(dataset.declared), collect, (name) => `${name}:`)
  partitionProblems(dataset, fields, collect)
}
