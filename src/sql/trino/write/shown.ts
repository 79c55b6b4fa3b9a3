import { refuse } from '../refusal.js'
import { fieldName, isInterval, type TrinoType } from '../types.js'
import { momentText } from './moments.js'
import { type Context, quote, text } from './scope.js'
import type { WrittenQuery } from './writer.js'

/**
 * A query whose values are seen by people and programs: what the engine would show otherwise is a
 * text, and maps are lists of their entries.
 */
export function asShown(query: WrittenQuery, { statement }: Pick<Context, 'statement'>): string {
  if (!query.fields.some(({ type }) => type && isOther(type))) return query.sql
  const names = query.fields.map((_, i) => quote(`c${i}`))
  const picked = query.fields.map(({ name, type }, i) => {
    const own = names[i] as string
    const sql = type && isOther(type) ? shownValue(own, type, 0) : own
    if (sql === undefined)
      throw refuse(
        statement,
        0,
        `The column ${name} has moments of a zone or intervals within it, which cannot be shown`,
        'Cast them to timestamps.',
      )
    return `${sql} AS ${quote(name)}`
  })
  return `SELECT ${picked.join(', ')} FROM (${query.sql}) AS ${quote('m shown')}(${names.join(', ')})`
}

const isText = (one: TrinoType) => one.zone !== undefined || isInterval(one)

/** Whether the engine shows values of a type, or of its parts, in another way. */
const isOther = (one: TrinoType): boolean =>
  one.name === 'map' || isText(one) || (one.of ?? []).some(isOther)

function shownValue(value: string, type: TrinoType, depth: number): string | undefined {
  if (!isOther(type)) return value
  if (isText(type)) {
    const most = type.zone === undefined ? type : { ...type, precision: digitsOf(type) }
    return depth === 0 ? momentText({ sql: value, isPlain: true }, most) : undefined
  }
  const { name, of = [] } = type
  const item = quote(`m s${depth}`)
  const inner = (sql: string, i: number) => shownValue(sql, of[i] as TrinoType, depth + 1)
  if (name === 'array') {
    const one = inner(item, 0)
    return one && `list_transform(${value}, lambda ${item}: ${one})`
  }
  if (name === 'map') {
    const [key, one] = [inner(`${item}."key"`, 0), inner(`${item}."value"`, 1)]
    return (
      key &&
      one &&
      `list_transform(map_entries(${value}), lambda ${item}: {'key': ${key}, 'value': ${one}})`
    )
  }
  const fields = of.map((_, i) => {
    const field = text(fieldName(type, i))
    const one = inner(`struct_extract(${value}, ${field})`, i)
    return one && `${field}: ${one}`
  })
  if (fields.includes(undefined)) return undefined
  return `CASE WHEN ${value} IS NOT NULL THEN {${fields.join(', ')}} END`
}

/** Results have three digits of a second, or six. */
const digitsOf = ({ precision = 3 }: TrinoType) => (precision > 3 ? 6 : 3)
