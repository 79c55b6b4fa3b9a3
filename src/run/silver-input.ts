import type { z } from 'zod'
import { z as zod } from 'zod'
import { type AnyDataset, fullName, type Silver } from '../define/dataset.js'
import { type Lookup, lookupOf } from '../define/lookup.js'
import { nearest } from '../define/nearest.js'
import { quoteName, reference, renderSql } from '../define/sql.js'
import type { BatchSource, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer } from '../log/commit.js'
import type { BuildDecision, View, Window } from '../plan/plan.js'
import type { RawColumn } from '../quality/column.js'
import { decode } from '../quality/grammar.js'
import { inputTypeOf } from '../quality/javascript.js'
import { bindExpression } from './expressions.js'
import { type BronzeRelation, bronzeLineage } from './relations.js'
import { columnTypes } from './wanted.js'

/** The rows that a silver step reads, ready to be checked. */
export interface SilverInput {
  /** SQL for lineage, `_input` (all raw values as a struct), and a raw value a column: r0, r1 … */
  relation: string
  raw: Record<string, RawColumn>
  /** The columns that the inputs have. */
  columns: string[]
  /** SQL over `_input` for all raw values of a row as JSON. */
  rawJson: string
}

/** What reading inputs needs of a run. */
export interface InputContext {
  relations: InputRelations
}

/** Where the rows of inputs come from; a test gives its own. */
export interface InputRelations {
  readonly view: View
  define(session: Session, datasets: readonly AnyDataset[]): Promise<void>
  bronzeRelation(
    session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
    wanted?: ReadonlyMap<string, string>,
  ): Promise<BronzeRelation>
}

/** Puts the inputs of a silver dataset together, one after the other, and applies `select`. */
export async function silverInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<SilverInput> {
  const inputs: OneInput[] = []
  for (const from of dataset.from)
    inputs.push(await oneInput(context, session, dataset, from, decision))
  const union = inputs.map(({ sql }) => sql).join('\nUNION ALL BY NAME\n')
  const available = (await session.describe(union)).map((c) => c.name)
  const columns = available.filter(
    (name) => !bronzeLineage.includes(name) && !/^_(superseded|typed|[vt]\d+)$/.test(name),
  )
  const kept = new KeptValues(dataset, inputs)
  const { input, rawJson } = rawValues(columns, kept)
  const joins = new Joins(dataset, kept, available)
  const raws = Object.entries(dataset.schema.shape).map(([name, schema], i) => {
    const looked = lookupOf(dataset.select[name])
    const { column, sql } = looked
      ? { sql: joins.take(name, looked), column: undefined }
      : columnSql(dataset, name, schema as z.ZodType, available)
    const value = column === undefined ? undefined : kept.value(column)
    return { name, alias: `r${i}`, sql: value?.sql ?? sql, text: value?.text }
  })
  const selected = raws
    .flatMap(({ sql, alias, text }) => [
      `${sql} AS ${alias}`,
      ...(text === undefined ? [] : [`${text} AS ${alias}_text`]),
    ])
    .join(',\n')
  const from = `FROM (${union}) AS i${joins.sql()}`
  const { deleteWhen } = dataset
  const deleted = deleteWhen ? `coalesce((\n${renderSql(deleteWhen)}\n), false)` : 'false'
  const relation = `SELECT i._batch, i._source_file, i._source_line, i._error, i._raw, i._superseded, ${deleted} AS _deleted, ${input} AS _input,
${selected}
${from}`
  const types = await describe(session, dataset, relation, union)
  const raw = raws.map(({ name, alias, text }) => {
    const type = types.find((c) => c.name === alias)?.sqlType ?? 'VARCHAR'
    const instead = text === undefined ? {} : { text: `${alias}_text` }
    return [name, { sql: alias, sqlType: type, ...instead }] as const
  })
  return { relation, raw: Object.fromEntries(raw), columns, rawJson }
}

/** SQL for a struct of all raw values, and SQL that makes JSON of texts from it, for the few rows that need it. */
function rawValues(columns: readonly string[], kept: KeptValues) {
  if (columns.length === 0) return { input: 'NULL', rawJson: 'CAST(NULL AS VARCHAR)' }
  const fields: string[] = []
  const texts = columns.map((name, i) => {
    const value = kept.value(name)
    fields.push(`c${i} := ${value?.sql ?? `i.${quoteName(name)}`}`)
    if (value?.text) fields.push(`t${i} := ${value.text}`)
    const own = value ? `CAST(_input.c${i} AS VARCHAR)` : `_input.c${i}`
    return `${quoteName(name)} := ${value?.text ? `coalesce(_input.t${i}, ${own})` : own}`
  })
  return {
    input: `struct_pack(${fields.join(', ')})`,
    rawJson: `CAST(to_json(struct_pack(${texts.join(', ')})) AS VARCHAR)`,
  }
}

/** Which columns of the inputs are kept as values, and how they are read. */
class KeptValues {
  private readonly names: string[]

  constructor(
    dataset: Silver,
    private readonly inputs: readonly OneInput[],
  ) {
    this.names = [...wantedBy(dataset).keys()]
  }

  /** SQL for a column's value, and for texts that take its place; `undefined` where only texts are kept. */
  value(column: string): { sql: string; text?: string } | undefined {
    const name = column.toLowerCase()
    const i = this.names.indexOf(name)
    const how = this.inputs.map(({ values }) => values.get(name))
    if (how.every((kept) => kept === undefined)) return undefined
    if (how.every((kept) => kept === 'all')) return { sql: `i._v${i}` }
    const text = `CASE WHEN i._typed IS NULL THEN i.${quoteName(column)} ELSE i._t${i} END`
    return { sql: `i._v${i}`, text }
  }
}

/** Look-ups as joins with the key of another dataset, which find at most one row. */
class Joins {
  private readonly on = new Map<string, string>()

  constructor(
    private readonly dataset: Silver,
    private readonly kept: KeptValues,
    private readonly available: readonly string[],
  ) {}

  /** SQL for the value that is looked up. */
  take(name: string, { dataset, take, key, by }: Lookup['lookup']): string {
    const column = available(this.dataset, name, by, this.available)
    const type = inputTypeOf(dataset.schema.shape[key] as z.ZodType)
    const value = this.kept.value(column)
    const text = decode(value?.text ?? `CAST(i.${quoteName(column)} AS VARCHAR)`, type)
    const wanted = value?.text ? `coalesce(${value.sql}, ${text})` : (value?.sql ?? text)
    const join = `${reference(dataset)} AS L ON L.${quoteName(key)} = ${wanted}`
    const alias = this.on.get(join) ?? `l${this.on.size}`
    this.on.set(join, alias)
    return `${alias}.${quoteName(take)}`
  }

  sql(): string {
    const joins = [...this.on].map(
      ([join, alias]) => `\nLEFT JOIN ${join.replace(' AS L ON L.', ` AS ${alias} ON ${alias}.`)}`,
    )
    return joins.join('')
  }
}

/** Columns that a dataset reads as they are, in lower case, with the engine's types of their values. */
function wantedBy(dataset: Silver): Map<string, string> {
  return new Map(columnTypes(dataset).map(([name, type]) => [name.toLowerCase(), type]))
}

interface OneInput extends BatchSource {
  /** SQL for its rows. */
  sql: string
}

async function oneInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  from: AnyDataset,
  decision: BuildDecision,
): Promise<OneInput> {
  const { relations } = context
  if (from.tier !== 'bronze') {
    await relations.define(session, [from])
    const lineage = bronzeLineage.map(
      (name) => `CAST(NULL AS ${name === '_source_line' ? 'BIGINT' : 'VARCHAR'}) AS ${name}`,
    )
    const present = (
      await session.describe(`SELECT * FROM ${from.tier}.${quoteName(from.name)}`)
    ).map((c) => c.name)
    const hidden = ['_loaded_at', '_batch'].filter((name) => present.includes(name))
    const exclude = hidden.length > 0 ? ` EXCLUDE (${hidden.join(', ')})` : ''
    const sql = `SELECT *${exclude}, ${lineage.join(', ')}, false AS _superseded FROM ${from.tier}.${quoteName(from.name)}`
    return { sql, values: new Map() }
  }
  const pointers = windowOf(context, from, decision)
  const declared = from.from.columns ?? []
  if (pointers.length === 0) {
    // No rows, but the columns that its files have.
    const known = relations.view.batches[fullName(from)] ?? []
    const { sql } = await relations.bronzeRelation(session, known.slice(-1), declared)
    return {
      sql: `SELECT *, false AS _superseded FROM (${sql}) WHERE false`,
      values: new Map(),
    }
  }
  const wanted = wantedBy(dataset)
  const { sql, values } = await relations.bronzeRelation(session, pointers, declared, wanted)
  return { sql: markEarlierVersions(sql, dataset, pointers), values }
}

function windowOf(
  context: InputContext,
  from: AnyDataset,
  decision: BuildDecision,
): readonly BatchPointer[] {
  const name = fullName(from)
  const found = decision.windows.find((window: Window) => window.dataset === name)
  if (found) return found.batches
  return decision.mode === 'incremental' ? [] : (context.relations.view.batches[name] ?? [])
}

/**
 * Without a key, only the newest version of each source file counts: the rows of earlier ones are
 * marked as superseded.
 */
function markEarlierVersions(
  sql: string,
  dataset: Silver,
  pointers: readonly BatchPointer[],
): string {
  const marked = dataset.key.length === 0 && pointers.some((pointer) => pointer.replaces)
  const superseded = marked ? '_batch < max(_batch) OVER (PARTITION BY _source_file)' : 'false'
  return `SELECT *, ${superseded} AS _superseded FROM (${sql})`
}

/** SQL for one column of the schema over the input `i`, and the input's column that it is, if it is one. */
function columnSql(
  dataset: Silver,
  name: string,
  schema: z.ZodType,
  columns: readonly string[],
): { sql: string; column?: string } {
  const chosen = Object.hasOwn(dataset.select, name) ? dataset.select[name] : name
  if (chosen !== undefined && typeof chosen !== 'string')
    return { sql: `(\n${renderSql(chosen)}\n)` }
  const source = chosen ?? name
  const missing = zod.safeParse(schema, undefined).success
  if (missing && !columns.some((column) => column.toLowerCase() === source.toLowerCase()))
    return { sql: 'CAST(NULL AS VARCHAR)' }
  const column = available(dataset, name, source, columns)
  return { sql: `i.${quoteName(column)}`, column }
}

/** The input's column of a name, as the input spells it. */
function available(
  dataset: Silver,
  name: string,
  source: string,
  columns: readonly string[],
): string {
  const found = columns.find((column) => column.toLowerCase() === source.toLowerCase())
  if (found) return found
  const known = columns.filter(
    (column) => !bronzeLineage.includes(column) && column !== '_superseded',
  )
  const similar = nearest(source, known)
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: its input has no column '${source}'`,
    {
      place: dataset.place && { ...dataset.place, near: `${name}:` },
      hint: similar
        ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
        : `The input has: ${known.join(', ')}. Is the delimiter right?`,
    },
  )
}

/** Asks for the types; an error in a `select` expression is blamed on the expression. */
async function describe(session: Session, dataset: Silver, relation: string, input: string) {
  try {
    return await session.describe(relation)
  } catch (error) {
    for (const chosen of [...Object.values(dataset.select), dataset.deleteWhen])
      if (chosen && typeof chosen !== 'string') await bindExpression(session, chosen, input)
    throw error
  }
}
