import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Target } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import { noColumn } from '../text/columns.js'
import { type Key, type NamesOutside, namesOf, namesOutside } from '../text/names.js'
import { namesIn, valuesOf } from './json-names.js'
import { unmarked } from './json-records.js'
import { TooManyNames } from './name-limit.js'

/** What is to be known of rows that have names. */
export type NamedRows = Pick<FilesSource, 'columns'> & Partial<Pick<FilesSource, 'layout'>>

/** Rows that have names, and where they go. */
export interface NamedReading {
  file: SourceFile
  source: NamedRows
  target: Target
}

/** More columns than this are no columns, but keys of something else. */
export const MOST_COLUMNS = 10_000

/** The lines of a text: `_why` and `_what` of those that are no rows, `_json` of the others. */
export interface Lined {
  relation: string
  /** Numbers in them are marked. */
  marked?: boolean
}

/** Rows that were found in a text. */
export interface Found {
  relation: string
  columns: string[]
  outside: NamesOutside
}

/** Lines that are looked at before it is assumed that all have the names which these have. */
const SAMPLE = 2048
/** Sets of names that rows are compared with. */
const MOST_SETS = 8

/**
 * A relation for lines whose names are those of the first ones: others have an `_error`.
 * `undefined` where the first ones differ much.
 */
export async function alikeLines(rows: NamedReading, lined: Lined): Promise<Found | undefined> {
  const { session } = rows.target
  const first = `(SELECT * FROM ${lined.relation} LIMIT ${SAMPLE})`
  const sets = await session
    .rows(`SELECT DISTINCT json_keys(_json) AS k FROM ${first}`)
    .catch(() => [])
  const names = sets.map(({ k }) => (k ?? []) as string[])
  // Of what is no object there are no names either.
  if (names.length === 0 || names.length > MOST_SETS || names.some((k) => k.length === 0))
    return undefined
  const known = names.map((k) => `[${k.map(quoteText).join(', ')}]`).join(', ')
  const other = `CASE WHEN coalesce(json_keys(_json) NOT IN (${known}), true) THEN 'it has other names' END`
  return columnsOf(rows, lined, { first, other })
}

/** A relation with `_error`, `_raw` and a text for each name in the objects of `lined`. */
export async function columnsOf(
  { file, source, target: { session } }: NamedReading,
  lined: Lined,
  alike?: { first: string; other: string },
): Promise<Found> {
  const looked = alike?.first ?? lined.relation
  const checked = `(SELECT *, CASE WHEN _why IS NOT NULL THEN _why WHEN NOT json_valid(_json) THEN 'it is no JSON'
    WHEN json_type(_json) <> 'OBJECT' THEN 'it is not a JSON object'
    WHEN contains(array_to_string(json_keys(_json), ''), chr(0)) THEN 'a name in it holds a NUL' END AS _bad FROM ${lined.relation})`
  const keysOf = async (relation: string, where: string, also: string) => {
    const lists = `SELECT json_keys(_json) AS l FROM ${relation} WHERE ${where}`
    // Beside unnest() it would be computed for each name.
    const counted = `SELECT l, len(l) > list_unique(l) AS t FROM (${lists})`
    const [found] = await session.rows(
      `SELECT k, t, (SELECT json_keys(_json) FROM ${relation} WHERE ${where} LIMIT 1) AS f${also}
       FROM (SELECT list(DISTINCT k ORDER BY k) AS k, bool_or(t) AS t FROM (SELECT unnest(l) AS k, t FROM (${counted})))`,
    )
    return found as { k: string[] | null; f: string[] | null; t: boolean | null; others?: bigint }
  }
  // Most files have nothing but objects; what fails here is looked at line by line.
  const clean = await keysOf(
    looked,
    'true',
    `, (SELECT count(*) FROM ${looked} WHERE _why IS NOT NULL OR json_type(_json) IS DISTINCT FROM 'OBJECT') AS others`,
  ).catch(() => undefined)
  // A name with a NUL can be no column.
  const flagged = clean?.others !== 0n || clean.k?.some((name) => name.includes('\0')) === true
  const found = flagged ? await keysOf(checked, '_bad IS NULL', '') : clean
  const look = {
    names: [...new Set([...(found?.f ?? []), ...(found?.k ?? [])])],
    twice: found?.t === true,
  }
  const objects = flagged ? `(SELECT _json FROM ${checked} WHERE _bad IS NULL)` : looked
  const { keys, apart } = await namesIn(session, objects, look)
  const { columns, ...outside } = columnsFor(source.columns ?? [], keys, apart)
  // All rows of an Avro file have the names of its schema.
  const lacking = columns.find(([, key]) => key === undefined)
  if (lacking && keys.length > 0 && source.layout?.kind === 'avro')
    throw noColumn(file, lacking[0], look.names)
  if (columns.length > MOST_COLUMNS) throw new TooManyNames(file.name, columns.length, MOST_COLUMNS)
  const plain = (text: string) => (lined.marked ? unmarked(text) : text)
  const good = flagged ? 'CASE WHEN _bad IS NULL THEN _json END' : '_json'
  const { row, values } = valuesOf(good, keys)
  const texts = columns.map(([name, key]) => {
    const i = key ? keys.indexOf(key) : -1
    const value = i < 0 ? 'CAST(NULL AS VARCHAR)' : plain(values[i] as string)
    return `${value} AS ${quoteName(name)}`
  })
  const bad = flagged
    ? `_bad AS _error, CASE WHEN _bad IS NOT NULL THEN coalesce(_what, ${plain('_json')}) END AS _raw`
    : alike
      ? `${alike.other} AS _error, CAST(NULL AS VARCHAR) AS _raw`
      : 'CAST(NULL AS VARCHAR) AS _error, CAST(NULL AS VARCHAR) AS _raw'
  const relation = `(SELECT * EXCLUDE (_why, _what, _json, _row${flagged ? ', _bad' : ''}), ${[bad, ...texts].join(', ')}
    FROM (SELECT *, ${row} AS _row FROM ${flagged ? checked : lined.relation}))`
  return { relation, columns: columns.map(([name]) => name), outside }
}

/** Columns for names, and those that there are in any case, in the order in which they come. */
function columnsFor(
  declared: readonly string[],
  keys: readonly Key[],
  apart: ReadonlySet<string>,
): { columns: [name: string, key?: Key][] } & NamesOutside {
  const named = new Map(namesOf(keys).map(([name, key]) => [key, name]))
  const spelt = new Map(declared.map((name) => [name.toLowerCase(), name]))
  const columns = keys.map((key): [string, Key] => {
    const name = named.get(key) as string
    return [spelt.get(name.toLowerCase()) ?? name, key]
  })
  const byName = new Map(columns.map((column) => [column[0].toLowerCase(), column]))
  const first = declared.map((name): [string, Key?] => byName.get(name.toLowerCase()) ?? [name])
  const more = columns.filter(([name]) => !spelt.has(name.toLowerCase()))
  return { columns: [...first, ...more], ...namesOutside(columns, apart) }
}
