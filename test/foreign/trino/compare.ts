import type { ResultRow, RowValue, Session } from '../../../src/engine/engine.js'
import { MoraineError } from '../../../src/errors.js'
import { tokens } from '../../../src/sql/trino/parse/tokens.js'
import { translateTrino } from '../../../src/sql/trino/translate.js'
import type { Trino } from '../../support/trino.js'

/** Times come with all of their digits. */
const PRECISE = { 'x-trino-client-capabilities': 'PARAMETRIC_DATETIME' }

/** What one engine gives for a query: its rows as texts that say the same on both, or a failure. */
export type Given = { rows: string[] } | { failed: string } | { refused: string }

/** A value as both engines' answers have it. */
export function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return numeric(String(value))
  if (typeof value === 'number')
    return Number.isSafeInteger(value)
      ? numeric(String(value))
      : String(Number(value.toPrecision(12)))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object')
    return Object.entries(value as object).map(([key, one]) => [key, plain(one)])
  return typeof value === 'string' ? texts(value) : value
}

function texts(value: string): unknown {
  if (/^-?(\d+\.?|\d*\.\d+|\d+(\.\d+)?[eE][+-]?\d+|NaN|Infinity)$/.test(value))
    return numeric(value)
  if (!/^\d{4}-\d\d-\d\d[ T]\d\d:/.test(value)) return value
  const plainly = value.replace(/^(.{10})T/, '$1 ').replace(/ ?(UTC|Z|\+00(:00)?)$/, '')
  return plainly.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}

/** Doubles of functions that engines compute each in their own way differ in the last digits. */
function numeric(text: string): string {
  const value = text.replace(/\.$/, '')
  if (/^-?\d+$/.test(value)) return value.replace(/^-0$/, '0')
  const digits = value.replace(/^-?[0.]*/, '').replace('.', '')
  // Only decimals have so many.
  if (/^\d{18,}$/.test(digits)) return value.replace(/0+$/, '').replace(/\.$/, '')
  return String(Number(Number(value).toPrecision(12)))
}

/** To Athena a number with a point is a double (ADR 0148), which Trino writes with an exponent. */
function withDoubles(sql: string): string {
  const points = tokens(sql).filter(({ kind }) => kind === 'decimal')
  return points.reduceRight((text, { at, raw }) => {
    const end = at + raw.length
    return `${text.slice(0, end)}e0${text.slice(end)}`
  }, sql)
}

export async function onTrino(trino: Trino, sql: string): Promise<Given> {
  try {
    const { rows } = await trino.run(withDoubles(sql), PRECISE)
    return { rows: rows.map((row) => JSON.stringify(row.map(plain))) }
  } catch (error) {
    return { failed: String((error as Error).message) }
  }
}

export async function translated(session: Session, sql: string): Promise<Given> {
  let written: string
  try {
    written = translateTrino(sql, {
      table: () => {
        throw new MoraineError('query', 'no table')
      },
    }).sql
  } catch (error) {
    if (error instanceof MoraineError) return { refused: error.message }
    throw error
  }
  try {
    const { batches } = await session.stream(written)
    const rows: ResultRow[] = []
    for await (const batch of batches) rows.push(...batch)
    return {
      rows: rows.map((row) =>
        JSON.stringify(Object.values(row).map((one: RowValue) => plain(one))),
      ),
    }
  } catch (error) {
    return { failed: `${(error as Error).message} ${written}` }
  }
}

/** Names of functions that a text calls, as far as they are words. */
export const calledIn = (sql: string) =>
  tokens(sql).flatMap(({ kind, text }) => (kind === 'word' ? [text.toLowerCase()] : []))
