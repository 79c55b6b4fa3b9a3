import { quoteName, quoteText } from '../../define/sql/sql.js'

/*
 * JSON of the engine's nested values. JSON has no NaN and no infinity, which lists of numbers may
 * well have: they become the texts of the same names, and whoever reads them says which value it
 * is.
 */

/** SQL for a list, struct or map of a type, as the engine writes it, as the text of JSON. */
export function nestedJson(given: string, givenType: string): string {
  const [column, type] = withShortFloats(given, givenType)
  const plain = `CAST(to_json(${column}) AS VARCHAR)`
  if (!/DOUBLE|FLOAT/.test(type)) return plain
  const careful = `CAST(to_json(${finite(column, parseType(type), 0)}) AS VARCHAR)`
  return `CASE WHEN regexp_matches(${plain}, 'NaN|Infinity') THEN ${careful} ELSE ${plain} END`
}

/**
 * SQL for a nested value whose numbers of 32 bits have the digits of their texts, and its type:
 * JSON knows doubles alone.
 */
function withShortFloats(column: string, type: string): [sql: string, type: string] {
  const as = (of: string) =>
    type.replace(/"(?:[^"]|"")*"|\bFLOAT\b/g, (word) => (word === 'FLOAT' ? of : word))
  const doubles = as('DOUBLE')
  if (doubles === type) return [column, type]
  return [`CAST(CAST(${column} AS ${as('VARCHAR')}) AS ${doubles})`, doubles]
}

/** A type of the engine; `name` is that of one which is not nested. */
type EngineType =
  | { name: string }
  | { element: EngineType }
  | { key: EngineType; value: EngineType }
  | { fields: [name: string, type: EngineType][] }

/** SQL for the value with JSON in place of its numbers. */
function finite(value: string, type: EngineType, depth: number): string {
  const x = `x${depth}`
  const inner = (of: EngineType, sql: string) => finite(sql, of, depth + 1)
  if ('element' in type) {
    if (!hasNumbers(type)) return value
    return `list_transform(${value}, lambda ${x}: ${inner(type.element, x)})`
  }
  if ('key' in type) {
    if (!hasNumbers(type)) return value
    const entry = `{'k': ${x}.key, 'v': ${inner(type.value, `${x}.value`)}}`
    return `map_from_entries(list_transform(map_entries(${value}), lambda ${x}: ${entry}))`
  }
  if ('fields' in type) {
    if (!hasNumbers(type)) return value
    const fields = type.fields.map(([name, of]) => {
      return `${quoteName(name)} := ${inner(of, `struct_extract(${value}, ${quoteText(name)})`)}`
    })
    return `CASE WHEN ${value} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`
  }
  if (!hasNumbers(type)) return value
  return `CASE WHEN isfinite(${value}) THEN to_json(${value}) ELSE to_json(CAST(${value} AS VARCHAR)) END`
}

function hasNumbers(type: EngineType): boolean {
  if ('element' in type) return hasNumbers(type.element)
  if ('key' in type) return hasNumbers(type.value)
  if ('fields' in type) return type.fields.some(([, of]) => hasNumbers(of))
  return type.name === 'DOUBLE' || type.name === 'FLOAT'
}

/** Reads the text of a type: `STRUCT(a INTEGER, "b c" DOUBLE[])[]`, `MAP(VARCHAR, FLOAT)`. */
function parseType(text: string): EngineType {
  const list = /\[\d*\]$/.exec(text)
  if (list) return { element: parseType(text.slice(0, list.index)) }
  const inside = /^(STRUCT|MAP)\((.*)\)$/s.exec(text)
  if (!inside) return { name: text }
  const parts = splitTop(inside[2] as string)
  if (inside[1] === 'MAP')
    return { key: parseType(parts[0] as string), value: parseType(parts[1] as string) }
  return {
    fields: parts.map((part) => {
      const [all, quoted, bare] = /^(?:"((?:[^"]|"")*)"|(\S+)) /.exec(part) ?? ['']
      const name = quoted === undefined ? (bare as string) : quoted.replaceAll('""', '"')
      return [name, parseType(part.slice(all.length))]
    }),
  }
}

/** The parts between commas that are in no brackets and no quotes. */
function splitTop(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"]|"")*"|[(),]/g)) {
    if (token === '(') depth++
    else if (token === ')') depth--
    else if (token === ',' && depth === 0) {
      parts.push(text.slice(from, index).trim())
      from = index + 1
    }
  }
  return [...parts, text.slice(from).trim()]
}
