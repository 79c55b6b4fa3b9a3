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
  /** How many different values there are. */
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
  const rows = rowsOf(files)
  if (rows === 0) return undefined
  const first = firstOf(files)
  const tasks = first.map((file) => ({ file, deletes: [], spec: 0 }))
  const relation = session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const fields = table.schema.fields.filter(({ name }) => !name.startsWith('_'))
  const most = Math.min(LOOKED_AT, Math.ceil(VALUES / Math.max(1, fields.length)))
  const of = Math.min(most, rowsOf(first))
  const sample = await session.materialize(`SELECT * FROM (${relation}) LIMIT ${of}`)
  const plain = fields.filter(({ type }) => typeof type === 'string')
  const names = plain.map(({ name }) => name)
  const places = names.length > FEW ? await countValues(session, sample, plain) : undefined
  const counts = places ? places.counts.sql : countsOf(session, sample, names)
  const bounds = await (places
    ? boundsOf(session, places.bounds)
    : extremes(session, sample, names))
  const found = names.length > 0 ? await frequent(session, counts) : new Map<number, Frequent>()
  const columns = plain.map(({ name }, i): ColumnProfile => {
    const { present = 0, distinct = 0, top = [] } = found.get(i) ?? {}
    const [min, max] = bounds(i)
    return { name, nulls: 1 - present / of, distinct, min, max, top }
  })
  return { rows, of, columns }
}

/**
 * Columns that are asked for in one query, up to which it is planned quickly: the engine compares
 * each aggregate with all others.
 */
const FEW = 25

type Bounds = (i: number) => [min: string | null, max: string | null]

/** The least and the greatest values of columns, by the columns' places. */
async function extremes(
  session: Session,
  { sql: sample }: Relation,
  names: readonly string[],
): Promise<Bounds> {
  if (names.length === 0) return () => [null, null]
  const { texts, values } = session.dialect
  const text = (sql: string) => texts.first(values.text(sql), LONGEST)
  const asked = names
    .map(quoteName)
    .flatMap((column, i) => [
      `${text(`min(${column})`)} AS l${i}`,
      `${text(`max(${column})`)} AS u${i}`,
    ])
  const [row = {}] = await session.rows(`SELECT ${asked.join(', ')} FROM ${sample}`)
  return (i) => [textOf(row[`l${i}`]), textOf(row[`u${i}`])]
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

async function boundsOf(session: Session, { sql: bounds }: Relation): Promise<Bounds> {
  const { first } = session.dialect.texts
  const rows = await session.rows(
    `SELECT i, ${first('l', LONGEST)} AS l, ${first('u', LONGEST)} AS u FROM ${bounds}`,
  )
  const found = new Map(rows.map(({ i, l, u }) => [Number(i), [textOf(l), textOf(u)] as const]))
  return (i) => [...(found.get(i) ?? ([null, null] as const))]
}

/** How often each value comes, as a query by the columns' places. */
function countsOf(session: Session, { sql: sample }: Relation, names: readonly string[]): string {
  const { lists } = session.dialect
  const texts = names.map((name) => `CAST(${quoteName(name)} AS VARCHAR)`)
  const places = names.map((_, i) => String(i))
  return `(SELECT i, v, count(*) AS n FROM (
     SELECT ${lists.each(lists.of(...places))} AS i, ${lists.each(lists.of(...texts))} AS v FROM ${sample})
   WHERE v IS NOT NULL GROUP BY i, v)`
}

/** What a column's values are like, by how often each comes. */
interface Frequent {
  present: number
  distinct: number
  top: [value: string, rows: number][]
}

async function frequent(session: Session, counts: string): Promise<Map<number, Frequent>> {
  const { aggregates, texts } = session.dialect
  const top = aggregates.frequent(texts.first('v', LONGEST), 'n', TOP)
  const rows = await session.rows(
    `SELECT i, sum(n) AS present, count(*) AS d, ${top} AS top FROM ${counts} GROUP BY i`,
  )
  const one = ({ present, d, top }: ResultRow): Frequent => {
    const most = JSON.parse(String(top)) as { value: string; rows: number }[]
    return {
      present: Number(present),
      distinct: Number(d),
      top: most.map(({ value, rows }) => [value, Number(rows)]),
    }
  }
  return new Map(rows.map((row) => [Number(row.i), one(row)]))
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

const rowsOf = (files: readonly DataFile[]) => files.reduce((sum, { rows }) => sum + rows, 0)

const textOf = (value: unknown) => (value === null || value === undefined ? null : String(value))
