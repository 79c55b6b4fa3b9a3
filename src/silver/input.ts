import type { z } from 'zod'
import { z as zod } from 'zod'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze, Silver, Sql } from '../define/model.js'
import { nearest } from '../define/nearest.js'
import { type Lookup, lookupOf } from '../define/sql/lookup.js'
import { quoteName, reference, renderSql } from '../define/sql/sql.js'
import type { BatchParts, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { BatchPointer } from '../log/commit.js'
import type { BuildDecision, View, Window } from '../plan/decision.js'
import { decode } from '../quality/grammar.js'
import { inputTypeOf } from '../quality/javascript.js'
import { type KnownColumns, knownOfAll } from '../quality/known.js'
import type { RawColumn } from '../quality/raw.js'
import type { Dialect } from '../sql/dialect.js'
import { bronzeLineage, columnsOf } from '../step/batches.js'
import { bindExpression } from '../step/expressions.js'
import { columnTypes } from '../step/requested-types.js'
import { canBeTried } from './careful.js'
import { ROW_ID } from './keys.js'

/** The rows that a silver step reads, ready to be checked. */
export interface SilverInput {
  /** Rows that keep the same columns as values are read together; most inputs are one part. */
  parts: SilverPart[]
  /** The columns that the inputs have. */
  columns: string[]
  /** How many rows there are, where that is known. */
  rows: number | undefined
}

export interface SilverPart {
  /** SQL for lineage, `_input` (all raw values as a struct), and a raw value a column: r0, r1 … */
  relation: string
  raw: Record<string, RawColumn>
  /** SQL over `_input` for all raw values of a row as JSON. */
  rawJson: string
  rows: number | undefined
  /** SQL for the rows of the input, which `select` and `deleteWhen` are computed over. */
  input: string
  /** SQL that `deleteWhen` has failed on the row, where it was tried. */
  deleteFailed?: string
}

/** What reading inputs needs of a run. */
export interface InputContext {
  relations: InputRelations
  sample?: number | undefined
  /** Whether SQL of the user's is tried on each row by itself; see {@link carefully}. */
  careful?: boolean
}

/** Where the rows of inputs come from; a test gives its own. */
export interface InputRelations {
  readonly view: View
  define(session: Session, datasets: readonly AnyDataset[]): Promise<void>
  bronzeRelation(
    session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }>
  batchColumns(pointers: readonly BatchPointer[]): Promise<string[]>
  /** What columns are called where names fall together. */
  naming?(
    pointers: readonly BatchPointer[],
  ): Promise<{ readonly spelt: ReadonlyMap<string, string> } | undefined>
  bronzeParts(
    session: Session,
    pointers: readonly BatchPointer[],
    wanted: ReadonlyMap<string, string>,
    marked: boolean,
  ): Promise<BatchParts>
}

/** Rows of an input, and which of their columns are also there as values. */
interface Source {
  sql: string
  values: readonly string[]
  rows: number | undefined
  known?: KnownColumns
}

/**
 * Puts the inputs of a silver dataset together, one after the other, and applies `select`.
 *
 * @param textsAlone whether all rows shall come in one part, by their texts.
 */
export async function silverInput(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
  textsAlone = false,
): Promise<SilverInput> {
  const wanted = textsAlone ? new Map<string, string>() : wantedBy(dataset)
  const together = new Map<string, Source[]>()
  for (const from of dataset.from)
    for (const source of await sourcesOf(context, session, dataset, from, decision, wanted)) {
      const key = source.values.join()
      together.set(key, [...(together.get(key) ?? []), source])
    }
  const { only } = decision
  const chosen = ({ sql }: Source) =>
    only ? `SELECT * FROM (${sql}) SEMI JOIN ${only} USING (${ROW_ID})` : sql
  const unions = [...together.values()].map((sources) => ({
    sql: sources.map(chosen).join('\nUNION ALL BY NAME\n'),
    values: sources[0]?.values ?? [],
    known: knownOfAll(sources.map(({ known }) => known)),
    rows: only ? undefined : sumOf(sources),
  }))
  // One after the other, as all that is asked of a session.
  const names: string[][] = []
  for (const { sql } of unions) names.push((await session.describe(sql)).map((c) => c.name))
  const given = distinct(names.flat()).filter((name) => !/^_v\d+$/.test(name))
  const earlier = await earlierColumns(context, dataset, decision)
  const known = distinct([...given, ...earlier])
  const columns = known.filter(isOwn)
  const available = dataset.from.every(mayLack) ? known : given
  const all = { names: available, spelt: await speltBy(context, dataset) }
  const parts: SilverPart[] = []
  for (const [i, source] of unions.entries()) {
    // A part may lack columns that others have.
    const own = new Set(names[i]?.map((name) => name.toLowerCase()))
    const missing = columns.filter((name) => !own.has(name.toLowerCase()))
    const nulls = missing.map((name) => `, CAST(NULL AS VARCHAR) AS ${quoteName(name)}`)
    const union = nulls.length > 0 ? `SELECT *${nulls.join('')} FROM (${source.sql})` : source.sql
    const whole = { ...source, sql: union }
    parts.push(await partOf(session, dataset, whole, all, columns, context.careful))
  }
  return { parts, columns, rows: sumOf(parts) }
}

/** What is known of a column, whatever it is called: every object has a `constructor`. */
const factsOf = (known: KnownColumns, column: string) =>
  Object.hasOwn(known, column) ? known[column] : undefined

/** Names of columns, each once, as it is spelt first. */
function distinct(names: readonly string[]): string[] {
  return columnsOf([{ columns: names }])
}

/**
 * The columns that any batch of the inputs ever had: they are columns of the input also where the batches that are read happen not to
 * have them, so that an increment knows the columns which a build from all rows knows.
 */
async function earlierColumns(
  { relations }: InputContext,
  dataset: Silver,
  { mode }: BuildDecision,
): Promise<readonly string[]> {
  const { view } = relations
  const names = dataset.from.map(fullName)
  const isPart = mode === 'incremental' || names.some((name) => view.expired?.[name])
  if (!isPart) return []
  const { inputColumns: raw } = view.tables[fullName(dataset)] ?? {}
  if (raw) return raw
  const batches = names.map((name) => relations.batchColumns(view.batches[name] ?? []))
  return distinct((await Promise.all(batches)).flat())
}

/** The columns of an input, and those that are spelt otherwise outside, by that. */
interface Available {
  names: readonly string[]
  spelt: ReadonlyMap<string, string>
}

async function speltBy({ relations }: InputContext, { from }: Silver) {
  const spelt = new Map<string, string>()
  for (const name of from.map(fullName)) {
    const naming = await relations.naming?.(relations.view.batches[name] ?? [])
    for (const [outside, column] of naming?.spelt ?? []) spelt.set(outside, column)
  }
  return spelt
}

function sumOf(counted: readonly { rows: number | undefined }[]): number | undefined {
  const counts = counted.flatMap(({ rows }) => rows ?? [])
  return counts.length < counted.length ? undefined : counts.reduce((a, b) => a + b, 0)
}

/** Whether batches may come without a column that others have; where a table's column is gone, what reads it says so. */
function mayLack(input: AnyDataset): boolean {
  return input.tier === 'bronze' && input.from.kind !== 'database'
}

/** Whether a column came from outside, rather than being lineage. */
const isOwn = (name: string) => !bronzeLineage.includes(name) && name !== '_superseded'

async function partOf(
  session: Session,
  dataset: Silver,
  { sql: union, values, rows, known = {} }: Source,
  available: Available,
  columns: readonly string[],
  careful = false,
): Promise<SilverPart> {
  const kept = keptValues(values)
  const { input, rawJson } = rawValues(columns, kept)
  const { dialect } = session
  const { attempt } = dialect.values
  const joins = new Joins(dataset, kept, available, dialect)
  const raws = Object.entries(dataset.schema.shape).map(([name, schema], i) => {
    const looked = lookupOf(dataset.select[name])
    const { column, sql } = looked
      ? { sql: joins.take(name, looked), column: undefined }
      : columnSql(dataset, name, schema as z.ZodType, available)
    const facts = column === undefined ? undefined : factsOf(known, column.toLowerCase())
    const chosen = looked || column ? undefined : dataset.select[name]
    const own = typeof chosen === 'object' ? chosen : undefined
    return { name, alias: `r${i}`, sql: (column && kept(column)) ?? sql, known: facts, own }
  })
  const { deleteWhen } = dataset
  const isTried = async (own: Sql | undefined) =>
    careful && own !== undefined && (await canBeTried(session, own, union))
  const tries: boolean[] = []
  for (const { own } of raws) tries.push(await isTried(own))
  const triesDelete = await isTried(deleteWhen)
  const selected = raws.map(({ sql, alias, own }, i) =>
    own && tries[i] ? `${attempt(renderSql(own))} AS t${i}` : `${sql} AS ${alias}`,
  )
  const condition = deleteWhen && renderSql(deleteWhen)
  const deleted = !condition
    ? 'false AS _deleted'
    : triesDelete
      ? `${attempt(condition)} AS td`
      : `coalesce((\n${condition}\n), false) AS _deleted`
  const computed = `SELECT i._batch, i._source_file, i._source_line, i._error, i._raw, i._superseded, ${deleted}, ${input} AS _input,
${selected.join(',\n')}
FROM (${union}) AS i${joins.sql()}`
  const got = [
    ...raws.flatMap(({ alias }, i) =>
      tries[i] ? [`t${i}.v AS ${alias}, t${i} IS NULL AS f${i}`] : [],
    ),
    ...(triesDelete ? ['coalesce(td.v, false) AS _deleted, td IS NULL AS fd'] : []),
  ]
  const relation = got.length > 0 ? `SELECT *, ${got.join(', ')} FROM (${computed})` : computed
  // The struct of all raw values takes longer to describe than all else.
  const shown = raws.map(({ alias }) => alias).join(', ') || '_batch'
  const types = await describe(session, dataset, `SELECT ${shown} FROM (${relation})`, union)
  const raw = raws.map(({ name, alias, known: facts, own }, i) => {
    const type = types[i]?.sqlType ?? 'VARCHAR'
    const found: RawColumn = {
      sql: alias,
      sqlType: type,
      ...(facts ? { known: facts } : {}),
      ...(own ? { computed: true } : {}),
      ...(tries[i] ? { failed: `f${i}` } : {}),
    }
    return [name, found] as const
  })
  return {
    relation,
    raw: Object.fromEntries(raw),
    rawJson,
    rows,
    input: union,
    ...(triesDelete ? { deleteFailed: 'fd' } : {}),
  }
}

/** SQL for a struct of all raw values, and for JSON of its texts: as a whole, as to name each field takes time that grows with their square. */
function rawValues(columns: readonly string[], kept: KeptValue) {
  if (columns.length === 0) return { input: 'NULL', rawJson: 'CAST(NULL AS VARCHAR)' }
  const own = (name: string) => kept(name) ?? `i.${quoteName(name)}`
  const fields = columns.map((name) => `${quoteName(name)} := ${own(name)}`)
  const types = columns.map((name) => `${quoteName(name)} VARCHAR`)
  const texts = columns.some(kept) ? `CAST(_input AS STRUCT(${types.join(', ')}))` : '_input'
  const rawJson = `CAST(to_json(${texts}) AS VARCHAR)`
  return { input: `struct_pack(${fields.join(', ')})`, rawJson }
}

/** SQL for a column's value; `undefined` where only its text is kept. */
type KeptValue = (column: string) => string | undefined

function keptValues(values: readonly string[]): KeptValue {
  return (column) => {
    const i = values.indexOf(column.toLowerCase())
    return i < 0 ? undefined : `i._v${i}`
  }
}

/** Look-ups as joins with the key of another dataset, which find at most one row. */
class Joins {
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

/** Columns that a dataset reads as they are, in lower case, with the engine's types of their values. */
function wantedBy(dataset: Silver): Map<string, string> {
  return new Map(columnTypes(dataset).map(([name, type]) => [name.toLowerCase(), type]))
}

async function sourcesOf(
  context: InputContext,
  session: Session,
  dataset: Silver,
  from: AnyDataset,
  decision: BuildDecision,
  wanted: ReadonlyMap<string, string>,
): Promise<Source[]> {
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
    return [{ sql, values: [], rows: undefined }]
  }
  // Without a key, only the newest version of each source file counts.
  const [files, marked] = [windowOf(context, from, decision), dataset.key.length === 0]
  const parted = await relations.bronzeParts(session, files, wanted, marked)
  const { values, texts, nonCanonical: odd } = parted
  const parts = [
    ...(values ? [{ ...values, values: values.columns }] : []),
    ...(texts ? [{ ...texts, values: [] }] : []),
    ...(odd ? [{ ...odd, sql: await found(session, odd.sql), values: [] }] : []),
  ]
  if (context.sample !== undefined) return sampled(session, parts, context.sample)
  if (parts.length > 0) return parts
  // No rows, but the columns that its files have.
  const known = relations.view.batches[fullName(from)] ?? []
  const { sql } = await relations.bronzeRelation(session, known.slice(-1), from.from.columns ?? [])
  return [{ sql: `SELECT *, false AS _superseded FROM (${sql}) WHERE false`, values: [], rows: 0 }]
}

/** Rows that take a look at many others, looked for once in a session. */
async function found(session: Session, sql: string): Promise<string> {
  return `SELECT * FROM ${(await session.materialize(sql, { again: true })).sql}`
}

/** The first rows of each part, the same ones however often they are read. */
async function sampled(
  session: Session,
  parts: readonly Source[],
  most: number,
): Promise<Source[]> {
  const found: Source[] = []
  for (const part of parts) {
    const { sql } = await session.materialize(`${part.sql} LIMIT ${most}`, { again: true })
    found.push({ ...part, sql: `SELECT * FROM ${sql}`, rows: undefined })
  }
  return found
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

/** SQL for one column of the schema over the input `i`, and the input's column that it is, if it is one. */
function columnSql(
  dataset: Silver,
  name: string,
  schema: z.ZodType,
  columns: Available,
): { sql: string; column?: string } {
  const chosen = Object.hasOwn(dataset.select, name) ? dataset.select[name] : name
  if (chosen !== undefined && typeof chosen !== 'string')
    return { sql: `(\n${renderSql(chosen)}\n)` }
  const source = chosen ?? name
  const missing = zod.safeParse(schema, undefined).success
  if (missing && !columns.names.some((column) => column.toLowerCase() === source.toLowerCase()))
    return { sql: 'CAST(NULL AS VARCHAR)' }
  const column = available(dataset, name, source, columns)
  return { sql: `i.${quoteName(column)}`, column }
}

/** The input's column of a name, as the input spells it. */
function available(
  dataset: Silver,
  name: string,
  source: string,
  { names, spelt }: Available,
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
      hint: similar
        ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
        : `The columns of the input are: ${known.join(', ')}.${isDelimited(dataset) ? ' Is the delimiter right?' : ''}`,
    },
  )
}

/** Whether an input is text between delimiters. */
function isDelimited({ from }: Silver): boolean {
  return from.some(({ tier, ...input }) => {
    const source = tier === 'bronze' && 'from' in input ? (input as Bronze).from : undefined
    if (!source) return false
    return source.kind === 'inbox' || (source.kind === 'files' && !source.layout)
  })
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
