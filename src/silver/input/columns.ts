import type { z } from 'zod'
import { z as zod } from 'zod'
import { fullName } from '../../define/dataset.js'
import type { Bronze, Silver } from '../../define/model.js'
import { nearest } from '../../define/nearest.js'
import type { Lookup } from '../../define/sql/lookup.js'
import { quoteName, reference, renderSql } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import { ownValue } from '../../own-value.js'
import { decode } from '../../quality/grammar.js'
import { inputTypeOf } from '../../quality/javascript.js'
import type { Dialect } from '../../sql/dialect.js'
import { bronzeLineage } from '../../step/batches.js'

/** The columns of an input, and those that are spelt otherwise outside, by that. */
export interface Available {
  names: readonly string[]
  spelt: ReadonlyMap<string, string>
  /** Columns that batches which were read before have, where only new ones are read. */
  earlier: readonly string[]
}

/** Whether a column withIngestedAt from outside, rather than being lineage. */
export const isOwn = (name: string) => !bronzeLineage.includes(name) && name !== '_superseded'

/** SQL for a column's value; `undefined` where only its text is kept. */
export type KeptValue = (column: string) => string | undefined

/** Look-ups as joins with the key of another dataset, which find at most one row. */
export class Joins {
  /** Aliases by the join's condition; each is joined once. */
  private readonly found = new Map<string, { alias: string; sql: string }>()

  constructor(
    private readonly dataset: Silver,
    private readonly kept: KeptValue,
    private readonly available: Available,
    private readonly dialect: Dialect,
  ) {}

  /** SQL for the value that is looked up. */
  take(name: string, { dataset, take, key, by }: Lookup['lookup']): string {
    const column = available(this.dataset, name, by, this.available)
    const type = inputTypeOf(dataset.schema.shape[key] as z.ZodType)
    const text = this.dialect.values.text(`i.${quoteName(column)}`)
    const wanted = this.kept(column) ?? decode(text, type, this.dialect)
    const table = reference(dataset)
    const alias = this.found.get(`${table} ${wanted}`)?.alias ?? `l${this.found.size}`
    const sql = `\nLEFT JOIN ${table} AS ${alias} ON ${alias}.${quoteName(key)} = ${wanted}`
    this.found.set(`${table} ${wanted}`, { alias, sql })
    return `${alias}.${quoteName(take)}`
  }

  sql(): string {
    return [...this.found.values()].map(({ sql }) => sql).join('')
  }
}

/**
 * SQL for one column of the schema over the input `i`, and the input's column that it is, if it is
 * one.
 */
export function columnSql(
  dataset: Silver,
  name: string,
  schema: z.ZodType,
  columns: Available,
): { sql: string; column?: string } {
  const chosen = ownValue(dataset.select, name) ?? name
  if (typeof chosen !== 'string') return { sql: `(\n${renderSql(chosen)}\n)` }
  const missing = zod.safeParse(schema, undefined).success
  if (missing && !columns.names.some((column) => column.toLowerCase() === chosen.toLowerCase()))
    return { sql: 'CAST(NULL AS VARCHAR)' }
  const column = available(dataset, name, chosen, columns)
  return { sql: `i.${quoteName(column)}`, column }
}

/** The input's column of a name, as the input spells it. */
function available(
  dataset: Silver,
  name: string,
  source: string,
  { names, spelt, earlier }: Available,
): string {
  const lower = source.toLowerCase()
  const found =
    names.find((column) => column === source) ??
    names.find((column) => column.toLowerCase() === spelt.get(source)?.toLowerCase()) ??
    names.find((column) => column.toLowerCase() === lower)
  if (found) return found
  const known = names.filter(isOwn)
  const similar = nearest(source, known)
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: its input has no column '${source}'`,
    {
      place: dataset.place && { ...dataset.place, near: `${name}:` },
      hint: earlier.some((column) => column.toLowerCase() === lower)
        ? hintOfGone(
            dataset,
            name,
            source,
            known.filter((column) => !earlier.includes(column)),
          )
        : similar
          ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
          : hintOf(dataset, known),
    },
  )
}

/**
 * A column that rows had which were read before: under one new name alone, others would lose it.
 */
function hintOfGone(dataset: Silver, name: string, source: string, fresh: readonly string[]) {
  const inputs = dataset.from.map(fullName).join(', ')
  const [now = 'new_name'] = fresh
  const others = fresh.length > 1 ? ` (its new columns are: ${fresh.join(', ')})` : ''
  return `The new rows of ${inputs} lack it; earlier ones have it. If it was renamed, read both names: select: { ${name}: sql\`coalesce(${now}, ${source})\` }${others}. If it was removed, make the column optional, or take it from the schema`
}

function hintOf(dataset: Silver, known: readonly string[]): string {
  if (known.length === 0)
    return `${dataset.from.map(fullName).join(', ')} has no columns yet. Ingest it first: moraine run +${fullName(dataset)}`
  const isOne = known.length === 1 && isDelimited(dataset)
  return `The columns of the input are: ${known.join(', ')}.${isOne ? ' Is the delimiter right?' : ''}`
}

/** Whether an input is text between delimiters. */
function isDelimited({ from }: Silver): boolean {
  return from.some(({ tier, ...input }) => {
    const source = tier === 'bronze' && 'from' in input ? (input as Bronze).from : undefined
    if (!source) return false
    return source.kind === 'inbox' || (source.kind === 'files' && !source.layout)
  })
}
