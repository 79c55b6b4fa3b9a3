import type { Expression } from '../parse/tree.js'
import { refuse } from '../refusal.js'
import { engineType, timestamp, VARBINARY } from '../types.js'
import { momentOf, zoneIn } from './moments.js'
import { type Context, type Scope, text } from './scope.js'
import type { Written } from './written.js'

type Literal = Extract<Expression, { kind: 'literal' }>
type Statement = Pick<Context, 'statement'>

/** A constant, as the engine writes one of its type. */
export function writeLiteral(node: Literal, _: Scope, context: Statement): Written {
  const { type, value, at } = node
  const made = (sql: string): Written => ({ sql, type, at, isPlain: true, word: value })
  const wrong = (why: string, hint?: string) => refuse(context.statement, at, why, hint)
  switch (type.name) {
    case 'varchar':
    case 'char':
      return made(text(value))
    case 'varbinary':
      if (value.length % 2 === 1)
        throw wrong('Binary literal must contain an even number of digits')
      return { ...made(`from_hex('${value}')`), type: VARBINARY }
    case 'double':
      return made(`CAST('${value}' AS DOUBLE)`)
    case 'decimal':
      return made(`CAST('${value.trim()}' AS ${engineType(type)})`)
    case 'date':
      if (!/^\s*\d{4}-\d{1,2}-\d{1,2}\s*$/.test(value) || !isDate(value))
        throw wrong(`'${value}' is not a valid date literal`)
      return made(`CAST('${value.trim()}' AS DATE)`)
    case 'timestamp':
      return momentLiteral(node, context)
    case 'time':
      return timeLiteral(node, context)
    case 'json':
      return made(`CAST(${text(sortedJson(value, wrong))} AS JSON)`)
    case 'ipaddress':
      return made(text(addressIn(value, wrong)))
    default:
      return made(value)
  }
}

/** A day with or without its time, and the zone that its clocks are of. */
const MOMENT =
  /^((\d{4}-\d{1,2}-\d{1,2})(?: \d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)(?:\s*([A-Za-z+-]\S*))?$/

function momentLiteral({ value, at }: Literal, { statement }: Statement): Written {
  const [, local = '', day = '', word] = MOMENT.exec(value) ?? []
  const zone = word === undefined ? undefined : zoneIn(word)
  if (!isDate(day) || zone === null)
    throw refuse(
      statement,
      at,
      `'${value}' is not a valid timestamp literal`,
      "Write it as TIMESTAMP '2026-01-31 10:00:00.5' or '2026-01-31 10:00:00 Europe/Berlin', with at most 6 digits of a second.",
    )
  const precision = fractionOf(local)
  const sql = `CAST('${local}' AS TIMESTAMP)`
  const made = { at, isPlain: true, word: value }
  if (word === undefined) return { ...made, sql, type: timestamp(precision) }
  const type = { name: 'timestamptz', precision, ...(zone === undefined ? {} : { zone }) }
  return { ...made, sql: momentOf(sql, zone), type }
}

const fractionOf = (clock: string) => /\.(\d+)$/.exec(clock)?.[1]?.length ?? 0

const CLOCK = /^((\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?)(?:\s*([+-]\d{2}:\d{2}))?$/

function timeLiteral({ value, at }: Literal, { statement }: Statement): Written {
  const [, clock, hour, minute, second = '0', offset] = CLOCK.exec(value.trim()) ?? []
  if (clock === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    throw refuse(
      statement,
      at,
      `'${value}' is not a valid time literal`,
      "Write it as TIME '10:00:00.5' or '10:00:00 +02:00', with at most 6 digits of a second.",
    )
  const made = { at, isPlain: true, word: value }
  const precision = fractionOf(clock)
  const full = /:\d\d:/.test(clock) ? clock : `${clock}:00`
  if (offset === undefined)
    return { ...made, sql: `CAST('${full}' AS TIME)`, type: { name: 'time', precision } }
  const sql = `CAST('${full}${offset}' AS TIME WITH TIME ZONE)`
  return { ...made, sql, type: { name: 'timetz', precision } }
}

function isDate(value: string): boolean {
  const [y = 0, m = 0, d = 0] = value.trim().split('-').map(Number)
  const date = new Date(Date.UTC(2000, m - 1, d))
  date.setUTCFullYear(y)
  return m >= 1 && m <= 12 && d >= 1 && d <= new Date(Date.UTC(y, m, 0)).getUTCDate()
}

/** JSON as Trino keeps it: keys are sorted. */
function sortedJson(value: string, wrong: (why: string, hint?: string) => Error): string {
  if (/(?:^|[[:,\s])-?\d{16,}/.test(value))
    throw wrong(
      'A number of JSON with more than 15 digits is not translated',
      'Write it as a text.',
    )
  try {
    return JSON.stringify(JSON.parse(value), (_, one) =>
      one !== null && typeof one === 'object' && !Array.isArray(one)
        ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
        : one,
    )
  } catch {
    throw wrong(`'${value.slice(0, 60)}' is not JSON`)
  }
}

/** An address as it is shown. */
function addressIn(value: string, wrong: (why: string) => Error): string {
  const parts = /^\d{1,3}(\.\d{1,3}){3}$/.test(value) ? value.split('.').map(Number) : []
  if (parts.length === 4 && parts.every((one) => one < 256)) return parts.join('.')
  if (/^[\da-fA-F:]*:[\da-fA-F:]*$/.test(value) && URL.canParse(`http://[${value}]/`))
    return new URL(`http://[${value}]/`).hostname.slice(1, -1)
  throw wrong(`'${value}' is not a valid IP address`)
}
