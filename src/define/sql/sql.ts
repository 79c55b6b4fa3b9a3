import { MoraineError, type SourceLocation } from '../../errors.js'
import { callSite } from '../call-site.js'
import type {
  AnyDataset,
  AnyInput,
  ColumnRef,
  DialectSql,
  Gold,
  Sql,
  SqlPart,
  SqlValue,
} from '../model.js'
import { described } from '../problems/described.js'
import { mistake } from '../problems/mistakes.js'
import { schemaOf } from './name.js'
import { sqlOnOneLine } from './sql-normal.js'

/** Stands where SQL is missing, once that is said. */
export const noSql: Sql = { kind: 'sql', parts: [], place: undefined }

type Interpolated = SqlValue | ColumnRef | AnyInput | Sql

/**
 * SQL in DuckDB's dialect. Datasets and columns in `${}` become references, everything else a
 * safely quoted literal; nothing is ever pasted in as text.
 *
 * @example
 * sql`select count(*) as n from ${orders} where status <> ${'cancelled'}`
 */
export function sql(strings: TemplateStringsArray, ...values: Interpolated[]): Sql {
  if (!Array.isArray(strings)) {
    mistake(
      `sql is a template tag, but was called with ${described(strings)}`,
      undefined,
      'Write sql`…`, without parentheses.',
    )
    return noSql
  }
  const parts: SqlPart[] = []
  strings.forEach((text, i) => {
    refuseLost(strings.raw?.[i])
    parts.push({ kind: 'text', text: text ?? '' })
    if (i < values.length) parts.push(...sound(values[i], text))
  })
  return { kind: 'sql', parts, place: callSite() }
}

/** Backslashes that are doubled, and those that JavaScript reads before the engine can. */
const BACKSLASH = /\\\\|\\(?![\\ntr'"`$\n\r]|0(?!\d)|x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|u\{)(.)/g

/** A regular expression would be another one, without a word. */
function refuseLost(raw = ''): void {
  const lost = [...raw.matchAll(BACKSLASH)].find(([, letter]) => letter !== undefined)?.[1]
  if (lost === undefined) return
  mistake(
    `sql\`…\`: JavaScript does not leave \\${lost} as it is`,
    `\\${lost}`,
    `Write \\\\${lost}. In a file (sqlFile) one backslash is enough.`,
  )
}

/**
 * SQL of another engine's own, for a gold dataset that it computes: see `dialects`. Datasets in
 * `${}` become its tables, and values its literals.
 *
 * @example sql.for('trino')`select day, approx_percentile(amount, 0.5) as median from ${orders}
 *   group by day`
 */
sql.for =
  (dialect: DialectSql['dialect']) =>
  (strings: TemplateStringsArray, ...values: Interpolated[]): DialectSql => {
    if (dialect !== 'trino')
      mistake(
        `sql.for(${described(dialect)}): there is no such engine`,
        undefined,
        "Write sql.for('trino')`…`",
      )
    return { kind: 'dialect', dialect, sql: sql(strings, ...values) }
  }

/**
 * SQL that was read from a file: `${name}` in the text is replaced by the binding of that name.
 *
 * @throws MoraineError of kind `definition` when the text names a binding that was not given.
 */
export function sqlText(
  text: string,
  bindings: Readonly<Record<string, Interpolated>>,
  place: SourceLocation | undefined,
): Sql {
  const parts: SqlPart[] = []
  text.split(/\$\{\s*([A-Za-z_$][\w$]*)\s*\}/).forEach((piece, i) => {
    if (i % 2 === 0) parts.push({ kind: 'text', text: piece })
    else if (Object.hasOwn(bindings, piece)) parts.push(...toParts(bindings[piece] as Interpolated))
    else
      throw new MoraineError('definition', `The SQL file uses \${${piece}}, which is not bound`, {
        place: place && { ...place, near: `\${${piece}}` },
        hint: `Pass it as the second argument: sqlFile(file, { ${piece} })`,
      })
  })
  return { kind: 'sql', parts, place }
}

/**
 * The parts of what stands in `${}`; what can't stand there is a mistake, found before the engine
 * sees it.
 */
function sound(value: unknown, before: string): readonly SqlPart[] {
  if (isInterpolated(value)) return toParts(value)
  const near = `${before.trimStart().split('\n').at(-1)}\${`
  mistake(
    `sql\`…\`: \${…} is ${value === undefined ? 'undefined here' : `${described(value)}, which is not SQL`}`,
    before.trim() === '' ? undefined : near,
    adviceFor(value),
  )
  return [{ kind: 'value', value: null }]
}

function isInterpolated(value: unknown): value is Interpolated {
  if (value === null || ['string', 'bigint', 'boolean', 'number'].includes(typeof value))
    return true
  if (Array.isArray(value)) return value.every((item) => isValue(item))
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  const kind =
    typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  return kind === 'sql' || kind === 'column' || kind === 'dataset'
}

function isValue(item: unknown): boolean {
  return isInterpolated(item) && !(typeof item === 'object' && item !== null && 'kind' in item)
}

function adviceFor(value: unknown): string {
  if (value === undefined)
    return 'It is defined further down, not exported by its file, or part of a cycle of datasets.'
  if (typeof value === 'function') return 'Call it, or use a dataset, a column or a value.'
  if (value instanceof Promise) return 'Await it.'
  return 'It can be a dataset, a column, sql`…`, a string, a number, a boolean, a date, NULL, or a list of values.'
}

function toParts(value: Interpolated): readonly SqlPart[] {
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    if (value.kind === 'sql') return value.parts
    if (value.kind === 'column') return [value]
    return [{ kind: 'dataset', dataset: value }]
  }
  return [{ kind: 'value', value: value as SqlValue }]
}

/** A name as SQL identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A value as SQL literal. */
export function literal(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (Array.isArray(value)) return `(${value.map(literal).join(', ')})`
  if (value instanceof Date) return `TIMESTAMPTZ ${quoteText(value.toISOString())}`
  if (typeof value === 'string') return quoteText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return `'${value}'::DOUBLE`
  return String(value)
}

/** The reference of a dataset in SQL: `"silver"."orders"`. */
export function reference(dataset: Parameters<typeof schemaOf>[0] & { name: string }): string {
  return `${quoteName(schemaOf(dataset))}.${quoteName(dataset.name)}`
}

/** How values and datasets are written where SQL names them. */
interface Spelling {
  value: (value: SqlValue) => string
  dataset: (dataset: AnyInput) => string
  /** The past versions of a dataset of that name. */
  history: (name: string) => string
}

const own: Spelling = {
  value: literal,
  dataset: (dataset) =>
    isView(dataset) ? `(${sqlOnOneLine(renderSql(dataset.query))})` : reference(dataset),
  history: (name) => reference({ tier: 'history', name }),
}

/** The text that goes to the engine, or to another one that spells it otherwise. */
export function renderSql({ parts }: Sql, spelling = own): string {
  return parts
    .map((part) => renderPart(part, spelling))
    .join('')
    .trim()
}

export function renderPart(part: SqlPart, spelling = own): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'value':
      return spelling.value(part.value)
    case 'column':
      return quoteName(part.name)
    case 'dataset':
      return spelling.dataset(part.dataset)
    case 'history':
      return spelling.history(part.dataset.name)
  }
}

/** A dataset that stands for its query wherever SQL names it. */
export function isView(dataset: AnyInput): dataset is Gold<any> & { view: true } {
  return dataset.tier === 'gold' && dataset.view
}

/**
 * The datasets whose rows a piece of SQL reads, each once; in the place of a view those that it
 * reads.
 */
export function datasetsIn(sql: Sql): AnyInput[] {
  const found = sql.parts.flatMap((part) => {
    if (!('dataset' in part)) return []
    return isView(part.dataset) ? datasetsIn(part.dataset.query) : [part.dataset]
  })
  return [...new Set(found)]
}

/** The views that a piece of SQL names, each once. */
export function viewsIn(sql: Sql): AnyDataset[] {
  const found = sql.parts.flatMap((part) =>
    part.kind === 'dataset' && isView(part.dataset) ? [part.dataset] : [],
  )
  return [...new Set(found)]
}

/** The datasets whose versions a piece of SQL reads, each once. */
export function historiesIn(sql: Sql): AnyDataset[] {
  const found = sql.parts.flatMap((part) => {
    if (part.kind === 'history') return [part.dataset]
    return part.kind === 'dataset' && isView(part.dataset) ? historiesIn(part.dataset.query) : []
  })
  return [...new Set(found)]
}
