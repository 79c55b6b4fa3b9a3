import { CHANGE } from '../bronze/database/known-rows.js'
import { fullName, schemaOf } from '../define/dataset.js'
import { checkedAgainst, inputsOf } from '../define/inputs.js'
import type { AnyDataset, AnyInput, Gold, Silver } from '../define/model.js'
import { nearest } from '../define/nearest.js'
import { lookupOf } from '../define/sql/lookup.js'
import { quoteName, quoteText, renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { BatchParts, Engine, ResultRow, RowValue, Session } from '../engine/engine.js'
import { openEngine } from '../engine/open.js'
import { MoraineError } from '../errors.js'
import { castRows, computing } from '../gold/casts.js'
import { describeGold } from '../gold/describe.js'
import type { RowCounts } from '../log/commit.js'
import { ownValue } from '../own-value.js'
import type { View } from '../plan/decision.js'
import { isSettled } from '../run/bind/columns.js'
import { proveDefinition } from '../run/bind/prove-sql.js'
import { abortController } from '../signals.js'
import { deduplicate } from '../silver/deduplicate.js'
import type { InputRelations } from '../silver/input/types.js'
import { tallyRows, validate } from '../silver/validate.js'
import type { Dialect } from '../sql/dialect.js'
import { bronzeLineage } from '../step/batches.js'
import { holdOn } from '../step/checks.js'
import { emptyRelation } from '../step/expressions.js'
import { InThisThread } from '../step/javascript.js'
import { silverLineage } from '../step/relations.js'
import type { Example, Given } from './dataset-test.js'
import { type Difference, rowDiff } from './row-diff.js'
import { columnsUngiven, goldColumns, isUndeclared } from './ungiven.js'

let engine: Promise<Engine> | undefined
/** Tests share an engine, whose relations have the names of datasets: one runs at a time. */
let last: Promise<unknown> = Promise.resolve()

/** Computes a dataset from given rows, in memory, and tells what is not as expected. */
export function compareDataset(dataset: AnyDataset, example: Example): Promise<Difference[]> {
  const next = last.then(() => compareNow(dataset, example))
  last = next.catch(() => {})
  return next
}

/** An engine that can open nothing: rows are given. */
async function startEngine(): Promise<Engine> {
  const started = await openEngine({ threads: 1 })
  await started.confine([])
  return started
}

async function compareNow(dataset: AnyDataset, example: Example): Promise<Difference[]> {
  engine ??= startEngine()
  const session = await (await engine).open()
  try {
    const inputs = new Set([...inputsOf(dataset), ...checkedAgainst(dataset)])
    const stray = example.given.find((rows) => !inputs.has(rows.dataset))
    if (stray)
      throw new Error(
        `${fullName(dataset)} does not read ${fullName(stray.dataset)}, for which rows are given`,
      )
    await proveDefinition(session, dataset)
    for (const { dataset: input, rows } of example.given) refuseUnknown(input, rows)
    const fieldsOf = new Map<AnyInput, readonly Field[]>()
    const empty = (input: AnyInput, fields?: readonly Field[]) =>
      relationOf(input, [], session.dialect, fields)
    for (const input of [...inputs].filter(isUndeclared)) {
      const fields = await goldColumns(session, input, empty)
      if (fields) fieldsOf.set(input, fields)
    }
    for (const input of inputs)
      await session.define(
        schemaOf(input),
        input.name,
        relationOf(input, example.given, session.dialect, fieldsOf.get(input)),
      )
    const result =
      dataset.tier === 'silver'
        ? await silverResult(session, dataset, example)
        : await goldResult(session, dataset as Gold)
    return await differences(session, dataset as Silver | Gold, example, result)
  } finally {
    session.close()
  }
}

interface Computed {
  columns: readonly Field[]
  /** SQL for the rows. */
  relation: string
  discarded: readonly string[]
  counts?: RowCounts
}

async function silverResult(
  session: Session,
  dataset: Silver,
  example: Example,
): Promise<Computed> {
  const ungiven = await columnsUngiven(session, dataset, example.given)
  const relations = new GivenRelations(example.given, columnsRead(dataset), ungiven)
  const context = {
    relations,
    careful: true,
    javascript: new InThisThread(),
    signal: abortController().signal,
  }
  const validated = await validate(context, session, dataset, {
    action: 'build',
    mode: 'full',
    reason: '',
    windows: [],
  })
  const tally = await tallyRows(session, validated)
  const { latest } = await deduplicate(session, dataset, { validated, tally })
  const columns = fieldsOfShape(dataset.schema.shape as never)
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const rows = await session.rows(
    `SELECT _reasons AS r FROM ${validated.flagged.sql} WHERE _reasons IS NOT NULL AND NOT _superseded ORDER BY _source_line`,
  )
  return {
    columns,
    relation: `SELECT ${names} FROM ${latest.sql} WHERE _kind = 'valid'`,
    discarded: rows.map((row) => (row.r as string[]).join('; ')),
    counts: { in: tally.rows, kept: 0, discarded: tally.discarded, superseded: 0 },
  }
}

async function goldResult(session: Session, dataset: Gold): Promise<Computed> {
  const described = await describeGold(session, dataset)
  const columns = [...described.fields]
  const rows = castRows(described, renderSql(dataset.query), session.dialect)
  const { sql } = await computing(dataset, columns, () => session.materialize(rows))
  return { columns, relation: `SELECT * FROM ${sql}`, discarded: [] }
}

async function differences(
  session: Session,
  dataset: Silver | Gold,
  { expect, discarded, broken }: Example,
  result: Computed,
): Promise<Difference[]> {
  const found: Difference[] = []
  const add = (what: string, text: string | undefined) => {
    if (text !== undefined) found.push({ what, text })
  }
  if (expect) add('rows', await rowsDiffer(session, dataset, expect, result))
  const column = (texts: readonly string[]) => texts.map((text) => [text])
  const discards = dataset.tier === 'silver' && (discarded !== undefined || expect !== undefined)
  if (discards)
    add(
      'discarded rows',
      rowDiff({
        columns: ['reasons'],
        expected: column(discarded ?? []),
        found: column(result.discarded),
      }),
    )
  if (broken) {
    const holding = { session, counts: result.counts, started: new Date() }
    const held = await holdOn(result.relation, dataset.checks, holding)
    const failed = held.filter(({ passed }) => !passed)
    const names = { columns: ['broken check'], expected: column(broken) }
    add('checks', rowDiff({ ...names, found: column(failed.map((c) => c.check)) }))
  }
  return found
}

/**
 * Compares rows as texts of their columns' types, so that `12.5` and `12.50` are the same decimal.
 */
async function rowsDiffer(
  session: Session,
  dataset: AnyDataset,
  expect: readonly Readonly<Record<string, unknown>>[],
  { columns, relation }: Computed,
): Promise<string | undefined> {
  const named = new Set(expect.flatMap((row) => Object.keys(row)))
  const unknown = [...named].find((name) => !columns.some((c) => c.name === name))
  if (unknown !== undefined)
    throw new Error(
      `${fullName(dataset)} has no column '${unknown}'; its columns are: ${columns.map((c) => c.name).join(', ')}`,
    )
  const compared = columns.filter((c) => named.size === 0 || named.has(c.name))
  const names = compared.map((c) => quoteName(c.name)).join(', ')
  const texts = (rows: readonly ResultRow[]) =>
    rows.map((row) => compared.map((c) => shown(ownValue(row, c.name) ?? null)))
  return rowDiff({
    columns: compared.map((c) => c.name),
    expected: texts(await session.rows(valuesSql(compared, expect, session.dialect))),
    found: texts(await session.rows(`SELECT ${names} FROM (${relation})`)),
  })
}

function shown(value: RowValue): string {
  if (value === null) return 'NULL'
  if (typeof value !== 'object') return String(value)
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))
}

/** SQL for rows of known types. */
function valuesSql(
  columns: readonly Field[],
  rows: readonly Readonly<Record<string, unknown>>[],
  dialect: Dialect,
): string {
  const selects = rows.map((row) => {
    const values = columns.map(
      (c) => `${valueSql(ownValue(row, c.name), c, dialect)} AS ${quoteName(c.name)}`,
    )
    return `SELECT ${values.join(', ')}`
  })
  return selects.length > 0 ? selects.join('\nUNION ALL ') : emptyRelation(columns, dialect)
}

function valueSql(value: unknown, column: Field, { json, values }: Dialect): string {
  const type = values.type(column.type)
  if (value === null || value === undefined) return `CAST(NULL AS ${type})`
  if (value instanceof Date) return `CAST(${quoteText(value.toISOString())} AS ${type})`
  if (typeof value !== 'object') return `CAST(${quoteText(String(value))} AS ${type})`
  const text = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))
  return json.value(quoteText(text), type)
}

/**
 * Refuses given columns that an input is known not to have: they would be left out without a word.
 */
function refuseUnknown(input: AnyInput, rows: Given['rows']): void {
  const known = columnsKnown(input)
  if (!known) return
  const unknown = rows.flatMap((row) => Object.keys(row)).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const similar = nearest(unknown, known)
  throw new MoraineError(
    'definition',
    `${fullName(input)} has no column '${unknown}', for which values are given`,
    { hint: similar ? `Did you mean '${similar}'?` : `Its columns are: ${known.join(', ')}` },
  )
}

/** The columns that an input has, where its definition says all of them. */
function columnsKnown(input: AnyInput): readonly string[] | undefined {
  if (input.tier === 'gold' || input.tier === 'external')
    return input.declared && Object.keys(input.declared)
  if (input.tier === 'silver')
    return [...Object.keys(input.schema.shape), ...silverLineage.map(({ name }) => name)]
  return isSettled(input) ? [...(input.from.columns ?? []), ...bronzeLineage, CHANGE] : undefined
}

/** SQL for an input's given rows, with the columns that it has in a lake, if they are `known`. */
function relationOf(
  input: AnyInput,
  all: readonly Given[],
  dialect: Dialect,
  known?: readonly Field[],
): string {
  const rows = all.filter(({ dataset }) => dataset === input).flatMap((given) => given.rows)
  if (input.tier === 'bronze') return bronzeSql(input.from.columns ?? [], rows, dialect)
  if (input.tier === 'silver')
    return valuesSql(
      [...fieldsOfShape(input.schema.shape as never), ...silverLineage],
      rows,
      dialect,
    )
  const declared = input.declared && fieldsOfShape(input.declared as never)
  const guessed = [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => ({
    name,
    type: guess(rows.map((row) => ownValue(row, name))),
  }))
  const sure = new Set(known?.map(({ name }) => name.toLowerCase()))
  const others = guessed.filter(({ name }) => !sure.has(name.toLowerCase()))
  return valuesSql(declared ?? [...(known ?? []), ...others], rows, dialect)
}

/** The type of a column that nobody has declared, by the values given for it. */
function guess(values: readonly unknown[]): Field['type'] {
  const value = values.find((v) => v !== null && v !== undefined)
  if (typeof value === 'bigint') return { kind: 'bigint' }
  if (typeof value === 'number') return { kind: Number.isInteger(value) ? 'bigint' : 'double' }
  if (typeof value === 'boolean') return { kind: 'boolean' }
  return { kind: 'string' }
}

function bronzeSql(
  declared: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
  dialect: Dialect,
) {
  const named = rows.flatMap((row) => Object.keys(row))
  const names = [...new Set([...declared, ...named])].filter((n) => !bronzeLineage.includes(n))
  const columns = [...bronzeLineage, ...names].map((name): Field => {
    return { name, type: { kind: name === '_source_line' ? 'bigint' : 'string' } }
  })
  const placed = rows.map((row, i) => ({
    _batch: '000001-given',
    _source_file: 'given',
    _source_line: i + 1,
    ...row,
  }))
  return valuesSql(columns, placed, dialect)
}

/** The columns of its input that a silver dataset reads by name. */
function columnsRead({ schema, select }: Silver): string[] {
  return Object.keys(schema.shape).flatMap((name) => {
    const chosen = ownValue(select, name) ?? name
    const by = lookupOf(chosen)?.by
    return typeof chosen === 'string' ? [chosen] : by === undefined ? [] : [by]
  })
}

/** Given rows in the place of a lake's batches and tables. */
class GivenRelations implements InputRelations {
  constructor(
    private readonly all: readonly Given[],
    private readonly read: readonly string[],
    private readonly ungiven: ReadonlyMap<string, readonly string[]>,
  ) {}

  get view(): View {
    const pointer = (dataset: string) => {
      return { dataset, number: 1, batch: '000001-given', manifest: '', rows: 0, bytes: 0 }
    }
    const batches = new Proxy({}, { get: (_, name) => [pointer(String(name))] })
    return { tables: {}, offsets: {}, batches }
  }

  /** They are defined before the dataset is computed. */
  async define(): Promise<void> {}

  async bronzeRelation(
    session: Session,
    pointers: readonly { dataset: string }[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }> {
    const [pointer] = pointers
    const rows = this.all
      .filter(({ dataset }) => fullName(dataset) === pointer?.dataset)
      .flatMap((given) => given.rows)
    const known = [...declared, ...this.read]
    const lower = new Set(known.map((name) => name.toLowerCase()))
    const ungiven = this.ungiven.get(pointer?.dataset ?? '') ?? []
    const more = ungiven.filter((name) => !lower.has(name.toLowerCase()))
    return { sql: bronzeSql([...known, ...more], rows, session.dialect), columns: [] }
  }

  async batchColumns(): Promise<string[]> {
    return []
  }

  async bronzeParts(
    session: Session,
    pointers: readonly { dataset: string }[],
  ): Promise<BatchParts> {
    const { sql } = await this.bronzeRelation(session, pointers, [])
    return { texts: { sql: `SELECT *, false AS _superseded FROM (${sql})`, rows: undefined } }
  }
}
