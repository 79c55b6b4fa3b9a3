import { z } from 'zod'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { compileChecks } from '../../quality/compile.js'
import type { FoundColumn } from './found.js'
import {
  codeText,
  EITHER,
  moneyReadings,
  NULL_WORDS,
  type Reading,
  readingsOfType,
  type Typed,
  textReadings,
} from './readings.js'

/** Different texts up to which a column may be a list of known words. */
const WORDS = 12
/** Rows from which on few different texts mean something. */
const ENOUGH = 100
/** Texts of a column by which it is guessed what it may be; all are asked then. */
const GUESSED = 400
/** The share of values that fit where it is said that a few do not. */
const NEARLY = 0.9
/** Rows from which on a column that differs in each of them is hardly so by chance. */
const MANY = 20
/** Columns that are asked about in one statement. */
const TOGETHER = 40

/** A column whose type is looked for. */
export interface Untyped {
  name: string
  /** The type that its file says. */
  native?: string
}

interface Candidate {
  reading: Reading
  nulls: readonly string[]
  misses: number
  example: string | null
  whole: number
  fraction: number
}

interface Column extends Untyped {
  sql: string
  count: number
  /** Some rows have none. */
  isMissing: boolean
  nulls: readonly string[]
  texts: readonly string[]
  candidates: Candidate[]
}

/**
 * What columns are, by all the texts that a relation has of them: each type is one that all of them
 * fit, as a run will judge it.
 *
 * @param complete whether these are all rows that there are; otherwise types have room.
 */
export async function inferColumns(
  session: Session,
  relation: string,
  untyped: readonly Untyped[],
  complete: boolean,
): Promise<{ columns: FoundColumn[]; rows: number }> {
  const found: FoundColumn[] = []
  let rows = 0
  for (let at = 0; at < untyped.length; at += TOGETHER) {
    const some = untyped.slice(at, at + TOGETHER)
    const { columns, total } = await countsOf(session, relation, some)
    rows = total
    await askAll(session, relation, columns)
    const typed = await typesThatHold(session, relation, columns, complete)
    for (const column of columns)
      found.push(await describeColumn(session, relation, column, { typed, total, complete }))
  }
  return { columns: found, rows }
}

async function countsOf(session: Session, relation: string, some: readonly Untyped[]) {
  const words = NULL_WORDS.map((word) => quoteText(word)).join(', ')
  const { aggregates, json } = session.dialect
  const asked = some.map(({ name }, i) => {
    const sql = quoteName(name)
    const found = `${aggregates.list(`DISTINCT ${sql}`)} FILTER (WHERE ${sql} IN (${words}))`
    return `count(${sql}) AS n${i}, ${json.text(found)} AS w${i}`
  })
  const [row = {}] = await session.rows(
    `SELECT count(*) AS n${asked.map((sql) => `, ${sql}`).join('')} FROM ${relation}`,
  )
  const columns: Column[] = []
  for (const [i, column] of some.entries()) {
    const sql = quoteName(column.name)
    const nulls = (row[`w${i}`] ? JSON.parse(String(row[`w${i}`])) : []) as string[]
    const texts = await textsOf(
      session,
      `SELECT ${sql} FROM (SELECT ${sql} FROM ${relation} WHERE ${sql} IS NOT NULL LIMIT ${GUESSED})`,
    )
    const count = Number(row[`n${i}`])
    const isMissing = count < Number(row.n)
    const about = { ...column, sql, count, isMissing, nulls: nulls.sort(), texts }
    columns.push({ ...about, candidates: candidatesOf(about) })
  }
  return { columns, total: Number(row.n) }
}

async function textsOf(session: Session, sql: string): Promise<string[]> {
  return (await session.texts(sql)).flat().flatMap((text) => text ?? [])
}

/** The readings that most of the first texts fit. */
function candidatesOf({ native, texts, nulls }: Omit<Column, 'candidates'>): Candidate[] {
  const all =
    native === undefined
      ? [...textReadings, ...moneyOf(texts)]
      : native === 'VARCHAR'
        ? []
        : readingsOfType(native)
  const some = texts.filter((text) => !nulls.includes(text))
  return all
    .filter(({ pattern }) => {
      if (native !== undefined) return true
      const regex = regexOf(pattern)
      return some.filter((text) => regex.test(text)).length > some.length * NEARLY
    })
    .map((reading) => {
      const own = native === undefined ? nulls : nulls.filter((word) => /^nan$/i.test(word))
      return { reading, nulls: own, misses: 0, example: null, whole: 0, fraction: 0 }
    })
}

function regexOf(pattern: string): RegExp {
  const [, flags = '', body = ''] = /^(?:\(\?([is]+)\))?([\s\S]*)$/.exec(pattern) ?? []
  return new RegExp(`^(?:${body})$`, flags)
}

/** The one currency that numbers stand beside. */
function moneyOf(texts: readonly string[]): Reading[] {
  const symbols = texts.flatMap(
    (text) =>
      /^-?(\p{Sc}|[A-Z]{3}) ?-?\d[\d.,]*$|^-?\d[\d.,]* ?(\p{Sc}|[A-Z]{3})$/u
        .exec(text.trim())
        ?.slice(1)
        .find(Boolean) ?? [],
  )
  const [first, ...others] = new Set(symbols)
  return first === undefined || others.length > 0 ? [] : moneyReadings(first)
}

/** Asks all texts whether they fit the candidates, and how many digits they have. */
async function askAll(session: Session, relation: string, columns: Column[]): Promise<void> {
  const { aggregates, patterns, texts } = session.dialect
  const asked = columns.flatMap(({ sql, candidates }, c) =>
    candidates.flatMap(({ reading, nulls }, i) => {
      const words = nulls.map((word) => quoteText(word)).join(', ')
      const own = words === '' ? `${sql} IS NOT NULL` : `${sql} NOT IN (${words})`
      const fits = patterns.matches(sql, reading.pattern)
      const misses = `${own} AND NOT ${fits}`
      const { point, some } = reading
      const mark = point === ',' ? ',' : '[.]'
      const digits = (text: string) =>
        `max(${texts.length(patterns.without(text, '[^0-9]'))}) FILTER (WHERE ${own} AND ${fits})`
      return [
        `count(*) FILTER (WHERE ${misses}) AS m${c}_${i}`,
        `min(${sql}) FILTER (WHERE ${misses}) AS e${c}_${i}`,
        ...(some === undefined
          ? []
          : [`coalesce(${aggregates.any(patterns.matches(sql, some))}, false) AS s${c}_${i}`]),
        ...(point === undefined
          ? []
          : [
              `${digits(patterns.replaceFirst(sql, `${mark}[0-9]*[^0-9]*$`, ''))} AS p${c}_${i}`,
              `${digits(patterns.extract(sql, `${mark}([0-9]*)[^0-9]*$`, 1))} AS f${c}_${i}`,
            ]),
      ]
    }),
  )
  if (asked.length === 0) return
  const [row = {}] = await session.rows(`SELECT ${asked.join(',\n')} FROM ${relation}`)
  for (const [c, column] of columns.entries()) {
    for (const [i, candidate] of column.candidates.entries()) {
      const at = `${c}_${i}`
      candidate.misses = row[`s${at}`] === false ? column.count : Number(row[`m${at}`])
      candidate.example = row[`e${at}`] === null ? null : String(row[`e${at}`])
      candidate.whole = Number(row[`p${at}`] ?? 0)
      candidate.fraction = Number(row[`f${at}`] ?? 0)
    }
  }
}

/**
 * The types by column that a run would discard no row for: whatever says otherwise gives way to the
 * next.
 */
async function typesThatHold(
  session: Session,
  relation: string,
  columns: readonly Column[],
  complete: boolean,
): Promise<Map<Column, Typed>> {
  const left = new Map(columns.map((column) => [column, typesOf(column, complete)]))
  for (;;) {
    const first = [...left].flatMap(([column, [typed]]) =>
      typed ? [[column, typed] as const] : [],
    )
    if (first.length === 0) return new Map()
    const failing = new Set([
      ...(await columnsThatFail(
        session,
        relation,
        first.filter(([, { text }]) => !isJson(text)),
      )),
      ...(await columnsOfBadJson(
        session,
        relation,
        first.filter(([, { text }]) => isJson(text)),
      )),
    ])
    if (failing.size === 0) return new Map(first)
    for (const [column] of first) if (failing.has(column.name)) left.get(column)?.shift()
  }
}

function typesOf({ candidates, count, isMissing }: Column, complete: boolean): Typed[] {
  const fitting = candidates.filter(({ misses }) => misses === 0 && count > 0)
  const types = fitting.flatMap(({ reading, nulls, whole, fraction }) => {
    return reading.type({ whole, fraction }, nulls, !complete) ?? []
  })
  const [first, second] = types
  const isWhole = first?.text.includes('zeroFraction') && !isMissing
  if (first?.text.includes('%m/%d') && second?.text.includes('%d/%m'))
    types[0] = { ...first, note: `or is it ${second.text}? ${EITHER}` }
  return isWhole ? types.slice(1) : types
}

const isJson = (type: string) => type.startsWith('t.json')

/** JSON is what JavaScript reads as such, as in a run. */
async function columnsOfBadJson(
  session: Session,
  relation: string,
  typed: readonly (readonly [Column, Typed])[],
): Promise<string[]> {
  const bad: string[] = []
  for (const [{ name, sql }, { schema }] of typed) {
    const { batches } = await session.stream(
      `SELECT DISTINCT ${sql} AS v FROM ${relation} WHERE ${sql} IS NOT NULL`,
    )
    let good = true
    for await (const batch of batches)
      good &&= batch.every(({ v }) => schema.safeParse(v === null ? v : String(v)).success)
    if (!good) bad.push(name)
  }
  return bad
}

async function columnsThatFail(
  session: Session,
  relation: string,
  typed: readonly (readonly [Column, Typed])[],
): Promise<Set<string>> {
  if (typed.length === 0) return new Set()
  const shape = Object.fromEntries(typed.map(([, { schema }], i) => [`c${i}`, schema.nullable()]))
  const raw = Object.fromEntries(
    typed.map((_, i) => [`c${i}`, { sql: `r${i}`, sqlType: 'VARCHAR' }]),
  )
  const checked = { schema: z.object(shape), severity: {}, rules: [], key: [], cursor: undefined }
  const checks = compileChecks(checked, raw, session)
  const lineage = `'' AS _batch, '' AS _source_file, 1 AS _source_line, CAST(NULL AS VARCHAR) AS _error,
     '' AS _raw, '' AS _input, false AS _superseded, false AS _deleted`
  const values = typed.map(([{ sql }], i) => `${sql} AS r${i}`)
  const rows = `(SELECT ${lineage}, ${values.join(', ')} FROM ${relation})`
  const { lists, patterns } = session.dialect
  const found = await session.rows(
    `SELECT DISTINCT ${patterns.extract('reason', '^c([0-9]+): ', 1)} AS i
     FROM (SELECT ${lists.each('_reasons')} AS reason FROM (${checks.over(rows)}) WHERE _reasons IS NOT NULL)`,
  )
  return new Set(found.map(({ i }) => (typed[Number(i)] as readonly [Column, Typed])[0].name))
}

async function describeColumn(
  session: Session,
  relation: string,
  column: Column,
  {
    typed,
    total,
    complete,
  }: { typed: ReadonlyMap<Column, Typed>; total: number; complete: boolean },
): Promise<FoundColumn> {
  const { name, native, count, candidates } = column
  const about = { name, ...(native === undefined ? {} : { native }) }
  const mayMiss = count < total || (!complete && !/(^|_)id$/i.test(name))
  if (count === 0) {
    const said = native === undefined ? undefined : readingsOfType(native)[0]
    const typed = said?.type({ whole: 0, fraction: 0 }, [], false)
    if (typed) return { ...about, schema: typed.text, nullable: true }
    const note = native === undefined ? { note: 'no values seen' } : {}
    return { ...about, schema: 'z.string()', nullable: true, ...note }
  }
  const found = typed.get(column)
  if (found) {
    const nullable = mayMiss || found.text.includes('nulls:')
    const { text: schema, note } = found
    return { ...about, schema, nullable, ...(note === undefined ? {} : { note }) }
  }
  const nearly = candidates.find(({ misses }) => misses > 0 && misses <= count * (1 - NEARLY))
  const would = nearly?.reading.type(nearly, nearly.nulls, !complete)
  if (nearly && would && nearly.example !== null) {
    const text = codeText(nearly.example.slice(0, 20))
    const note = `${would.text}, except for ${nearly.misses} of ${count} values, such as ${text}`
    return { ...about, schema: 'z.string()', nullable: mayMiss, note }
  }
  if (native !== undefined && native !== 'VARCHAR')
    return { ...about, schema: 'z.string()', nullable: mayMiss, note: `${native} in the file` }
  return { ...about, nullable: mayMiss, ...(await wordsOf(session, relation, column, complete)) }
}

async function wordsOf(
  session: Session,
  relation: string,
  { sql, count }: Column,
  complete: boolean,
): Promise<Pick<FoundColumn, 'schema' | 'note'>> {
  if (count < ENOUGH) return { schema: 'z.string()' }
  const words = await textsOf(
    session,
    `SELECT DISTINCT ${sql} AS w FROM ${relation} WHERE ${sql} IS NOT NULL LIMIT ${WORDS + 1}`,
  )
  if (words.length < 2 || words.length > WORDS || words.some((word) => word.length > 60))
    return { schema: 'z.string()' }
  const list = words.sort().map(codeText)
  if (complete) return { schema: `z.enum([${list.join(', ')}])` }
  return { schema: 'z.string()', note: `seen: ${list.join(', ')}` }
}

/**
 * The column that tells rows apart: each has a value there, and no two the same. Likely names come
 * first.
 */
export async function inferKey(
  session: Session,
  relation: string,
  { name: table, columns, rows }: { name: string; columns: readonly FoundColumn[]; rows: number },
): Promise<string[]> {
  if (rows < 2) return []
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const own = ['id', `${plain(table.replace(/s$/, ''))}id`, `${plain(table)}id`]
  const rank = ({ name }: FoundColumn) => {
    if (own.includes(plain(name))) return 0
    return /(id|key|uuid|code|nr|number)$/.test(plain(name)) ? 1 : 2
  }
  // A column that just happens to differ in each row is no key.
  const likely = columns
    .filter((column, i) => !column.nullable && (rank(column) < 2 || (i === 0 && rows >= MANY)))
    .filter(({ name }) => !/^(row|index|unnamed.*)$/i.test(name))
    .filter(({ schema }) => !/^t\.(json|double|boolean|decimal|timestamp)/.test(schema))
    .sort((a, b) => rank(a) - rank(b))
  for (const { name } of likely.slice(0, 20)) {
    const [row] = await session.rows(
      `SELECT count(DISTINCT ${quoteName(name)}) AS n FROM ${relation}`,
    )
    if (Number(row?.n) === rows) return [name]
  }
  return []
}
