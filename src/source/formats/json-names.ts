import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { classOf, type Key } from '../text/names.js'

/** The names that objects have. */
export interface JsonNames {
  keys: Key[]
  /** Columns, in lower case, for which a row has several names. */
  apart: ReadonlySet<string>
}

/**
 * What a first look tells: the names that there are, those of the first row first, and whether a
 * row has one twice.
 */
interface Look {
  names: readonly string[]
  twice: boolean
}

/** Names of rows of which these are all sets that there are. */
function namesInSets(sets: readonly (readonly string[])[]): JsonNames {
  const keys = new Map<string, Key>()
  const apart = new Set<string>()
  for (const set of sets) {
    const counts = new Map<string, number>()
    const classes = new Set<string>()
    for (const name of set) {
      const nth = counts.get(name) ?? 0
      counts.set(name, nth + 1)
      keys.set(`${nth} ${name}`, [name, nth])
      if (classes.has(classOf(name))) apart.add(classOf(name))
      classes.add(classOf(name))
    }
  }
  return { keys: [...keys.values()], apart }
}

/** Names of the objects in `_json`; rows are only looked at again where names fall together. */
export async function namesIn(
  session: Session,
  relation: string,
  { names, twice }: Look,
): Promise<JsonNames> {
  const own = names.map((name): Key => [name, 0])
  const counts = new Map<string, number>()
  for (const name of names) counts.set(classOf(name), (counts.get(classOf(name)) ?? 0) + 1)
  const similar = names.filter((name) => (counts.get(classOf(name)) ?? 0) > 1)
  const several = twice ? [...similar, ...(await repeated(session, relation))] : similar
  if (several.length === 0) return { keys: own, apart: new Set() }
  const list = `[${[...new Set(several)].map(quoteText).join(', ')}]`
  const sets = await session.rows(
    `SELECT DISTINCT list_filter(json_keys(_json), lambda k: list_contains(${list}, k)) AS k FROM ${relation}`,
  )
  const { keys, apart } = namesInSets(sets.map(({ k }) => (k ?? []) as string[]))
  return { keys: [...own, ...keys.filter(([, nth]) => nth > 0)], apart }
}

async function repeated(session: Session, relation: string): Promise<string[]> {
  const found = await session.rows(
    `SELECT DISTINCT k FROM (SELECT l, unnest(l) AS k FROM (SELECT json_keys(_json) AS l FROM ${relation}) WHERE len(l) > list_unique(l))
     WHERE len(list_filter(l, lambda x: x = k)) > 1`,
  )
  return found.map(({ k }) => String(k))
}

/**
 * SQL for the values of keys, in order: by one look at the row for all that a struct of the engine
 * can tell apart.
 *
 * @param json SQL for the row, NULL where it is none.
 */
export function valuesOf(json: string, keys: readonly Key[]): { row: string; values: string[] } {
  const fields = new Map<string, string>()
  const twice = new Set(keys.flatMap(([name, nth]) => (nth > 0 ? [name] : [])))
  for (const [name, nth] of keys) {
    const lower = name.toLowerCase()
    if (name !== '' && nth === 0 && !fields.has(lower)) fields.set(lower, name)
  }
  const spec = JSON.stringify(Object.fromEntries([...fields.values()].map((n) => [n, 'VARCHAR'])))
  const row = fields.size > 0 ? `json_transform(${json}, ${quoteText(spec)})` : 'NULL'
  const values = keys.map(([name, nth]) => {
    if (twice.has(name)) return nthValue(json, name, nth)
    if (fields.get(name.toLowerCase()) === name) return `_row.${quoteName(name)}`
    return `json_extract_string(${json}, ${quoteText(pointer(name))})`
  })
  return { row, values }
}

/** The value of a key of which there are several. */
function nthValue(json: string, name: string, nth: number): string {
  const all = `list_zip(json_keys(${json}), json_extract_string(${json}, '$.*'))`
  return `list_filter(${all}, lambda p: p[1] = ${quoteText(name)})[${nth + 1}][2]`
}

/** A name as a JSON pointer (RFC 6901). */
function pointer(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
