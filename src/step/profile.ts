import { availableParallelism } from 'node:os'
import { fullName } from '../define/dataset.js'
import { quoteName } from '../define/sql/sql.js'
import type { Relation, ResultRow, Session } from '../engine/engine.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { Pool } from '../process/pool.js'
import { encodeSealed, parseSealed } from '../storage/sealed.js'
import type { Storage } from '../storage/storage.js'
import type { BuildOutcome, Written } from './built.js'
import { type RunContext, withSession } from './context.js'
import { tableFiles } from './table-files.js'

/** What is known of a column's values. */
export interface ColumnProfile {
  name: string
  /** Share of rows that have no value, from 0 to 1. */
  nulls: number
  /** About how many different values there are. */
  distinct: number
  min: string | null
  max: string | null
  /** The most frequent values, and how often they come. */
  top: [value: string, rows: number][]
}

/** What the rows are like that a run wrote of a table. */
export interface Profile {
  /** Rows that the run wrote. */
  rows: number
  /** Rows that were looked at: the first ones. */
  of: number
  columns: ColumnProfile[]
}

/** Rows that are looked at. */
const LOOKED_AT = 10_000
/** Values that are looked at, which makes it fewer rows where there are many columns. */
const VALUES = 50_000
export const TOP = 5
/** Longer texts are cut. */
const LONGEST = 100

const profileOf = (run: string) => `_moraine/runs/${run}/profile.json`

/** Looks at what a run has written, and keeps that beside its record. */
export async function keepProfiles(
  context: RunContext,
  built: readonly BuildOutcome[],
): Promise<void> {
  const profiles: Record<string, Profile> = {}
  const pool = new Pool(availableParallelism())
  const one = async ({ dataset, written }: BuildOutcome) => {
    if (!written) return
    const name = fullName(dataset)
    const profile = await withSession(context, name, (session) => look(context, session, written))
    if (profile) profiles[name] = profile
  }
  await Promise.all(built.map((outcome) => pool.run(() => one(outcome))))
  if (Object.keys(profiles).length === 0) return
  const bytes = encodeSealed({ format: 2, datasets: profiles })
  await context.storage.write(profileOf(context.run), bytes)
}

/** The profiles that a run has kept. */
export async function profilesOf(storage: Storage, run: string): Promise<Record<string, Profile>> {
  const bytes = await storage.readIfPresent(profileOf(run))
  // One that is damaged says nothing.
  const found = bytes && parseSealed<{ format: number; datasets: Record<string, Profile> }>(bytes)
  return found?.head.datasets ?? {}
}

async function look(
  { storage }: RunContext,
  session: Session,
  { table, files }: Written,
): Promise<Profile | undefined> {
  const rows = files.reduce((sum, file) => sum + file.rows, 0)
  if (rows === 0) return undefined
  const tasks = firstOf(files).map((file) => ({ file, deletes: [], spec: 0 }))
  const relation = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const fields = table.schema.fields.filter(({ name }) => !name.startsWith('_'))
  const most = Math.min(LOOKED_AT, Math.ceil(VALUES / Math.max(1, fields.length)))
  const sample = await session.materialize(`SELECT * FROM (${relation}) LIMIT ${most}`)
  const plain = fields.filter(({ type }) => typeof type === 'string')
  const names = plain.map(({ name }) => name)
  const isMany = names.length > FEW
  const values = isMany ? await countValues(session, sample, plain) : undefined
  const facts = await (values
    ? factsOfCounted(session, sample, values)
    : factsOf(session, sample, names))
  const top = await mostFrequent(session, sample, names, values?.counts)
  const of = Number(facts.n)
  const columns = plain.map(({ name }, i): ColumnProfile => {
    const present = Number(facts[`n${i}`] ?? 0)
    return {
      name,
      nulls: of === 0 ? 0 : 1 - present / of,
      distinct: Math.min(Number(facts[`d${i}`] ?? 0), present),
      min: textOf(facts[`l${i}`]),
      max: textOf(facts[`u${i}`]),
      top: top.get(i) ?? [],
    }
  })
  return { rows, of, columns }
}

/**
 * Columns that are asked for in one query, up to which it is planned quickly: the engine compares
 * each aggregate with all others.
 */
const FEW = 25

async function factsOf(
  session: Session,
  { sql: sample }: Relation,
  names: readonly string[],
): Promise<ResultRow> {
  const { aggregates, texts, values } = session.dialect
  const asked = names.flatMap((name, i) => {
    const column = quoteName(name)
    const text = (sql: string) => texts.first(values.text(sql), LONGEST)
    return [
      `count(${column}) AS n${i}`,
      `${aggregates.distinct(column)} AS d${i}`,
      `${text(`min(${column})`)} AS l${i}`,
      `${text(`max(${column})`)} AS u${i}`,
    ]
  })
  const [facts = {}] = await session.rows(
    `SELECT ${['count(*) AS n', ...asked].join(', ')} FROM ${sample}`,
  )
  return facts
}

/** How often each value comes, and the least and the greatest, by the columns' places. */
interface Counted {
  counts: Relation
  bounds: Relation
}

async function countValues(
  session: Session,
  { sql: sample }: Relation,
  fields: readonly { name: string; type: unknown }[],
): Promise<Counted> {
  const byType = new Map<unknown, number[]>()
  for (const [i, { type }] of fields.entries()) byType.set(type, [...(byType.get(type) ?? []), i])
  const empty = (columns: string) => session.materialize(`SELECT ${columns} LIMIT 0`)
  const [zero, none] = ['CAST(0 AS BIGINT)', 'CAST(NULL AS VARCHAR)']
  const { lists } = session.dialect
  const counts = await empty(`${zero} AS i, ${none} AS v, ${zero} AS n`)
  const bounds = await empty(`${zero} AS i, ${none} AS l, ${none} AS u`)
  for (const places of byType.values()) {
    const columns = places.map((i) => quoteName(fields[i]?.name ?? ''))
    const alike = await session.materialize(
      `SELECT i, v, count(*) AS n FROM (
         SELECT ${lists.each(lists.of(...places.map(String)))} AS i, ${lists.each(lists.of(...columns))} AS v FROM ${sample})
       WHERE v IS NOT NULL GROUP BY i, v`,
    )
    await session.insert(counts, `SELECT i, CAST(v AS VARCHAR) AS v, n FROM ${alike.sql}`)
    await session.insert(
      bounds,
      `SELECT i, CAST(min(v) AS VARCHAR) AS l, CAST(max(v) AS VARCHAR) AS u FROM ${alike.sql} GROUP BY i`,
    )
    await session.drop([alike])
  }
  return { counts, bounds }
}

/** The same facts of values that were counted. */
async function factsOfCounted(
  session: Session,
  sample: Relation,
  { counts, bounds }: Counted,
): Promise<ResultRow> {
  const [all] = await session.rows(`SELECT count(*) AS n FROM ${sample.sql}`)
  const facts: ResultRow = { n: all?.n ?? 0 }
  const { first } = session.dialect.texts
  const found = await session.rows(
    `SELECT i, sum(n) AS n, count(*) AS d, ${first('any_value(l)', LONGEST)} AS l, ${first('any_value(u)', LONGEST)} AS u
     FROM ${counts.sql} JOIN ${bounds.sql} USING (i) GROUP BY i`,
  )
  for (const { i, n, d, l, u } of found)
    Object.assign(facts, { [`n${i}`]: n, [`d${i}`]: d, [`l${i}`]: l, [`u${i}`]: u })
  return facts
}

/** The most frequent values of columns, by the columns' places. */
async function mostFrequent(
  session: Session,
  sample: Relation,
  names: readonly string[],
  counted?: Relation,
): Promise<Map<number, [value: string, rows: number][]>> {
  const top = new Map<number, [string, number][]>()
  if (names.length === 0) return top
  const { lists, rows: relations, texts: dialect } = session.dialect
  const texts = names.map((name) => `CAST(${quoteName(name)} AS VARCHAR)`)
  const places = names.map((_, i) => String(i))
  const together = `SELECT i, v, count(*) AS n FROM (
       SELECT ${lists.each(lists.of(...places))} AS i, ${lists.each(lists.of(...texts))} AS v FROM ${sample.sql})
     WHERE v IS NOT NULL GROUP BY i, v`
  const rows = await session.rows(
    `SELECT i, ${dialect.first('v', LONGEST)} AS v, n FROM (${relations.qualify('i, v, n', counted?.sql ?? `(${together})`, `row_number() OVER (PARTITION BY i ORDER BY n DESC, v) <= ${TOP}`)}) ORDER BY i, n DESC, v`,
  )
  for (const { i, v, n } of rows) {
    const place = Number(i)
    top.set(place, [...(top.get(place) ?? []), [String(v), Number(n)]])
  }
  return top
}

/**
 * As many files as have the rows that are looked at: to open thousands would cost more than to look
 * at them.
 */
function firstOf(files: readonly DataFile[]): DataFile[] {
  const chosen: DataFile[] = []
  let rows = 0
  for (const file of files) {
    if (rows >= LOOKED_AT) break
    chosen.push(file)
    rows += file.rows
  }
  return chosen
}

const textOf = (value: unknown) => (value === null || value === undefined ? null : String(value))
