import { secondsOf } from '../interval.js'
import type { Expected } from './options.js'

/**
 * Kinds of values that options have; what is about one builder alone stands beside that builder.
 */

export const text: Expected = { is: 'a text', fits: (value) => typeof value === 'string' }

export const flag: Expected = {
  is: 'true or false',
  fits: (value) => typeof value === 'boolean',
  advise: (value) =>
    value === 'true' || value === 'false' ? `Without quotes: ${value}` : undefined,
}

export const number: Expected = {
  is: 'a number',
  fits: (value) => typeof value === 'number' && !Number.isNaN(value),
  advise: (value) =>
    typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
      ? `Without quotes: ${value}`
      : undefined,
}

/** How many there are of something. */
export const counting: Expected = {
  ...number,
  is: 'a whole number, 1 or more',
  fits: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
}

/** Whether an interval can be read is said where its option is used. */
export const interval: Expected = {
  is: "a duration such as '30s', '15m', '2h' or '1d'",
  fits: (value) => typeof value === 'string',
  advise: (value) => (typeof value === 'number' ? 'Include the unit, in quotes.' : undefined),
}

export const texts: Expected = {
  is: 'a list of strings',
  fits: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  advise: (value) => (typeof value === 'string' ? `Wrap it in a list: ['${value}']` : undefined),
}

export const textOrTexts: Expected = {
  is: 'a string or a list of strings',
  fits: (value) => text.fits(value) || texts.fits(value),
}

export const columnNames: Expected = {
  ...textOrTexts,
  is: 'a column name or a list of column names',
}

export const columnName: Expected = { ...text, is: "a column's name" }

export const object: Expected = {
  is: 'an object',
  fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/** A text, or a function that gives one when it is needed. */
export const secretText: Expected = {
  is: "a string or secret('env:NAME')",
  fits: (value) => typeof value === 'string' || typeof value === 'function',
  secret: true,
}

export const secretTexts: Expected = {
  is: "an object whose values are strings or secret('env:NAME')",
  fits: (value) => object.fits(value) && Object.values(value as object).every(secretText.fits),
  secret: true,
}

export function oneOf(...values: readonly string[]): Expected {
  const shown = values.map((value) => `'${value}'`)
  return {
    is: shown.length > 1 ? `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}` : (shown[0] ?? ''),
    fits: (value) => typeof value === 'string' && values.includes(value),
  }
}

export function either(is: string, ...kinds: readonly Expected[]): Expected {
  return { is, fits: (value) => kinds.some((kind) => kind.fits(value)) }
}

/** A schema of Zod 4, as `t.*` and `z.*` give. */
export function isType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_zod' in value
}

const kindOf = (value: unknown) =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined

export function isDataset(value: unknown): boolean {
  return kindOf(value) === 'dataset'
}

export function isExternal(value: unknown): boolean {
  return isDataset(value) && (value as { tier?: unknown }).tier === 'external'
}

const sources: readonly unknown[] = ['files', 'database', 'http', 'ingest', 'inbox']

export const sqlTag: Expected = {
  is: 'SQL, written as sql`…`',
  fits: (value) => kindOf(value) === 'sql',
  advise: (value) =>
    kindOf(value) === 'dialect'
      ? "Write the query in DuckDB's SQL, and this one beside it: dialects: [sql.for('trino')`…`]"
      : typeof value === 'string'
        ? 'Put the tag in front of it: sql`…`, imported from moraine'
        : isDataset(value)
          ? 'Write a query on it: sql`from ${dataset}`'
          : undefined,
}

export const dialectList: Expected = {
  is: "a list of queries in SQL of other engines, each written as sql.for('trino')`…`",
  fits: (value) =>
    Array.isArray(value) &&
    value.every((item) => kindOf(item) === 'dialect') &&
    new Set(value.map(({ dialect }) => dialect)).size === value.length,
  advise: (value) =>
    kindOf(value) === 'dialect'
      ? "Wrap it in a list: [sql.for('trino')`…`]"
      : "Write [sql.for('trino')`…`], one for each engine",
}

export const source: Expected = {
  is: 'a source, such as files(…) or postgres(…).table(…)',
  fits: (value) => sources.includes(kindOf(value)),
  advise: (value) => {
    if (typeof value === 'string')
      return `Specify how it is read: files('${value}'), imported from moraine/sources`
    if (isDataset(value)) return 'Bronze reads sources; silver(…) and gold(…) read datasets.'
    if (Array.isArray(value)) return "Several files are one source: files(['a.csv', 'b.csv'])"
    const database = typeof value === 'object' && value !== null && 'table' in value
    return database ? "Specify the table: .table('public.orders')" : undefined
  },
}

export const silverDataset: Expected = {
  is: 'a silver dataset',
  fits: (value) => isDataset(value) && (value as { tier?: unknown }).tier === 'silver',
  advise: (value) =>
    typeof value === 'string' ? 'Refer to datasets by their variables, without quotes.' : undefined,
}

export const datasets: Expected = {
  is: 'a dataset, or a list of them',
  fits: (value) => isDataset(value) || (Array.isArray(value) && value.every(isDataset)),
  advise: (value) => adviceForDatasets(value),
}

export const datasetList: Expected = {
  is: 'a list of datasets',
  fits: (value) => Array.isArray(value) && value.every(isDataset),
  advise: (value) =>
    isDataset(value) ? 'Wrap it in a list: [ … ]' : adviceForDatasets(value, 'Object.values(…)'),
}

function adviceForDatasets(value: unknown, ofObject?: string): string | undefined {
  const items = Array.isArray(value) ? value : [value]
  const odd = items.find((item) => !isDataset(item))
  if (Array.isArray(value) && odd === undefined)
    return 'An item of the list is undefined: it is defined further down, not exported, or misspelled.'
  if (typeof odd === 'string') return 'Refer to datasets by their variables, without quotes.'
  if (sources.includes(kindOf(odd)))
    return "A source is read by a bronze dataset, bronze('…', { from: … }); refer to that dataset."
  if (typeof odd === 'function') return 'Refer to the dataset instead.'
  return object.fits(value) && ofObject ? `Use a list: ${ofObject}` : undefined
}

export const engine: Expected = {
  is: 'duckdb(), workers(…), spark(…) or trino({ … })',
  fits: (value) => kindOf(value) === 'engine',
  advise: (value) => {
    if (typeof value === 'function') return `Call it: ${value.name}(…)`
    if (value === 'spark') return "Write spark({ master: 'local[2]' }), imported from moraine"
    const isKnown = value === 'duckdb' || typeof value === 'number'
    return isKnown || /^workers/.test(String(value))
      ? `Write ${typeof value === 'number' ? `workers(${value})` : value === 'duckdb' ? 'duckdb()' : 'workers(4)'}, imported from moraine`
      : undefined
  },
}

export const deploy: Expected = {
  is: "aws({ region: '…' })",
  fits: (value) => kindOf(value) === 'aws',
  advise: (value) =>
    typeof value === 'function'
      ? `Call it: ${value.name}({ region: 'eu-central-1' })`
      : "Write deploy: aws({ region: 'eu-central-1' }), imported from moraine/aws",
}

/** The schedules' own builders make nothing else. */
export const schedule: Expected = {
  is: 'cron(…), every(…), after(…) or manual()',
  fits: (value) => ['cron', 'every', 'after', 'by hand'].includes(String(kindOf(value))),
  advise: (value) => {
    if (typeof value === 'function') return `Call it: ${value.name}()`
    if (typeof value !== 'string') return undefined
    if (secondsOf(value) !== undefined) return `Write every('${value}'), imported from moraine`
    if (/^@?\w+$/.test(value))
      return "Write cron('0 6 * * *') or every('1d'), imported from moraine"
    return `Write cron('${value}'), imported from moraine`
  },
}

/** A list of what one builder makes, by its kind. */
export function listOf(kind: 'rule' | 'check', example: string): Expected {
  return {
    is: `a list of ${kind}s`,
    fits: (value) => Array.isArray(value) && value.every((item) => kindOf(item) === kind),
    advise: (value) =>
      kindOf(value) === kind ? `Wrap it in a list: [${kind}(…)]` : `Write [${example}]`,
  }
}
