import { quoteName } from '../../define/sql/sql.js'
import { wholeType } from '../../define/types/sql-type.js'
import type { BronzeEncoding, Counts, Session } from '../../engine/engine.js'
import { isNumber, type KnownColumns } from '../../quality/known.js'
import type { Dialect } from '../../sql/dialect.js'

/**
 * Types in which columns are worth keeping, by their names in lower case: those in which silver
 * reads them.
 */
export type RequestedTypes = ReadonlyMap<string, string>

/** Records that are about to be kept: a relation with `_error`, `_raw` and a text a column. */
export interface Records {
  relation: string
  /** No record is broken: the relation has neither `_error` nor `_raw`. */
  clean?: boolean
  columns: readonly string[]
  /** SQL for each row's batch and file, where the file shall say them. */
  lineage: readonly string[]
  location: string
  /** How the file is compressed. */
  compression?: 'snappy' | 'zstd'
  /**
   * Columns of the relation that are values already, whose texts they give back, with their types.
   */
  exact?: ReadonlyMap<string, string>
}

export interface Kept extends BronzeEncoding {
  rows: number
  broken: number
  bytes: number
}

/**
 * Writes records to Parquet so that every text can be given back. A text is kept as a value when
 * the value gives back the very same text; rows in which one does not keep all of theirs in
 * `_raw_values` as well, as JSON.
 */
export async function keepRecords(
  session: Session,
  records: Records,
  requested: RequestedTypes,
): Promise<Kept> {
  const { relation, columns, lineage, location } = records
  const { compression = 'snappy', exact = new Map<string, string>(), clean = false } = records
  const texty = columns.filter((name) => !exact.has(name))
  const found = await worthwhile(session, relation, texty, requested)
  const values = { ...Object.fromEntries(exact), ...found }
  const names = Object.keys(values)
  const proved = Object.keys(found)
  const own = columns.map((name) => {
    const i = proved.indexOf(name)
    return i < 0 ? quoteName(name) : `_v${i} AS ${quoteName(name)}`
  })
  const { dialect } = session
  const casts = proved.map(
    (name, i) => `, ${castSql(name, found[name] as string, dialect)} AS _v${i}`,
  )
  const nonCanonical = proved.map(
    (name, i) => `NOT ${givesBack(name, `_v${i}`, found[name] as string, dialect)}`,
  )
  const list = names.map((name) => dialect.values.text(quoteName(name)))
  // As one text: a list that is NULL in all rows costs more than a column of numbers, to write and
  // to read.
  const json = dialect.json.text(dialect.lists.of(...list))
  const rawValues = `CASE WHEN ${nonCanonical.join(' OR ')} THEN ${json} END AS _raw_values`
  const all = [...lineage, ...(clean ? [] : ['_error', '_raw']), ...own]
  const sql =
    proved.length === 0
      ? `SELECT ${all.join(', ')} FROM ${relation}`
      : `SELECT ${[...all, rawValues].join(', ')} FROM (SELECT *${casts.join('')} FROM ${relation})`
  const words = names.length < columns.length
  const { rows, bytes, counts } = await session.files.writeFile(sql, location, {
    words,
    compression,
  })
  const broken = rows - (counts.get('"_error"')?.nulls ?? rows)
  const kept = { rows, bytes, broken, ...(clean ? { clean } : {}) }
  if (names.length === 0) return kept
  const known = knownOf(columns, values, counts)
  if (proved.length === 0) return { ...kept, values, known }
  return {
    ...kept,
    values,
    nonCanonical: rows - (counts.get('"_raw_values"')?.nulls ?? rows),
    known,
  }
}

/**
 * What the file says of its columns, as far as checks may ask: which have a value in each row, and
 * bounds of numbers.
 */
function knownOf(
  columns: readonly string[],
  values: Readonly<Record<string, string>>,
  counts: ReadonlyMap<string, Counts>,
): KnownColumns {
  const found = columns.flatMap((name) => {
    const { nulls, min, max } = counts.get(quoteName(name)) ?? {}
    if (nulls === undefined) return []
    const bounded = Object.hasOwn(values, name) && min && max && isNumber(min) && isNumber(max)
    if (nulls > 0 && !bounded) return []
    return [[name.toLowerCase(), { nulls, ...(bounded ? { min, max } : {}) }] as const]
  })
  return Object.fromEntries(found)
}

/** Rows that are looked at before it is decided which columns are kept as values. */
const SAMPLE = 4096
/** The share of them that must give their text back. */
const MOST = 0.95

async function worthwhile(
  session: Session,
  relation: string,
  columns: readonly string[],
  requested: RequestedTypes,
): Promise<Record<string, string>> {
  const candidates = columns.flatMap((name) => {
    const type = requested.get(name.toLowerCase())
    if (type === undefined) return []
    // Prices without cents: as whole numbers they give back the text that came.
    const whole = wholeType(type)
    return [type, ...(whole ? [whole] : [])].map((kept) => [name, kept] as const)
  })
  if (candidates.length === 0) return {}
  const { dialect } = session
  const tests = candidates.map(([name, type]) =>
    givesBack(name, castSql(name, type, dialect), type, dialect),
  )
  const sample = `(SELECT * FROM ${relation} LIMIT ${SAMPLE})`
  const { rows, counts } = await countTrue(session, sample, tests)
  const enough = candidates.filter((_, i) => (counts[i] ?? 0) >= rows * MOST)
  // Of two types the first, which is the one that is requested.
  return Object.fromEntries(enough.filter(([name], i) => enough[i - 1]?.[0] !== name))
}

/**
 * Aggregates in one query, up to which the engine plans them quickly: it compares each with all
 * others.
 */
const FEW = 64

/** For how many rows each of some conditions is true. */
async function countTrue(
  session: Session,
  relation: string,
  conditions: readonly string[],
): Promise<{ rows: number; counts: number[] }> {
  if (conditions.length <= FEW) {
    const counted = conditions.map((sql, i) => `count(*) FILTER (WHERE ${sql}) AS n${i}`)
    const [row] = await session.rows(`SELECT count(*) AS n, ${counted.join(', ')} FROM ${relation}`)
    return { rows: Number(row?.n), counts: conditions.map((_, i) => Number(row?.[`n${i}`])) }
  }
  const { each, of } = session.dialect.lists
  const places = conditions.map((_, i) => String(i))
  const counted = await session.rows(
    `SELECT i, count(*) AS n, count(*) FILTER (WHERE yes) AS yes FROM (
       SELECT ${each(of(...places))} AS i, ${each(of(...conditions))} AS yes FROM ${relation}
     ) GROUP BY i ORDER BY i`,
  )
  const counts = conditions.map(() => 0)
  for (const { i, yes } of counted) counts[Number(i)] = Number(yes)
  return { rows: Number(counted[0]?.n ?? 0), counts }
}

function castSql(name: string, type: string, { values }: Dialect): string {
  return values.tryCast(quoteName(name), type)
}

/**
 * Bytes of texts beside which the engine knows others of its own: `infinity`, years before Christ.
 */
const widths: Record<string, number> = { DATE: 10, TIMESTAMP: 19 }

function givesBack(name: string, value: string, type: string, of: Dialect): string {
  const text = quoteName(name)
  const same = `${of.values.text(value)} IS NOT DISTINCT FROM ${text}`
  const width = widths[type]
  return width === undefined
    ? `(${same})`
    : `(${same} AND coalesce(${of.texts.bytes(text)}, ${width}) = ${width})`
}
