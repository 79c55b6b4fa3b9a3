import type { Context } from 'hono'
import type { ParameterValues, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { Caller, QueryRequest } from '../../query/service/request.js'
import { BadBody, readBody, refuseEncoded } from '../body.js'
import { HeldBytes } from '../held-bytes.js'
import { isDeeper } from '../json-depth.js'

/** Bytes of a request, and of all that are being read. */
const LARGEST = 2 ** 20
const held = new HeldBytes(64 * LARGEST)
const DEEPEST = 20

const fields: Readonly<Record<string, string>> = {
  sql: 'string',
  schema: 'string',
  workgroup: 'string',
  maxRows: 'number',
  parameters: 'object',
}

/** @throws MoraineError of kind `usage` for a body that is no query. */
export async function requestIn(c: Context, principal: Caller): Promise<QueryRequest> {
  const sent = await jsonIn(c)
  for (const [name, value] of Object.entries(sent)) {
    const type = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (!type) throw bad(`Unknown field '${name}'`, `Send ${Object.keys(fields).join(', ')}.`)
    if (value === null || typeof value !== type)
      throw bad(`'${name}' is not a ${type}`, `Send ${name} as a ${type}.`)
  }
  const { sql, parameters, maxRows, ...rest } = sent
  if (typeof sql !== 'string') throw bad("'sql' is missing", 'Send {"sql": "select 1"}.')
  if (maxRows !== undefined && !(Number.isSafeInteger(maxRows) && (maxRows as number) > 0))
    throw bad("'maxRows' is not a whole number above 0", 'Send a number of rows.')
  return {
    ...(rest as Pick<QueryRequest, 'schema' | 'workgroup'>),
    ...(maxRows === undefined ? {} : { maxRows: maxRows as number }),
    ...(parameters === undefined ? {} : { parameters: valuesIn(parameters as object) }),
    principal,
    sql,
  }
}

/** A number of the query string. */
export function numberIn(c: Context, name: string, otherwise: number): number {
  const text = c.req.query(name)
  if (text === undefined) return otherwise
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw bad(`'${name}' is not a whole number`, `Write ${name}=100.`)
}

async function jsonIn(c: Context): Promise<Record<string, unknown>> {
  const counted = { bytes: 0 }
  try {
    refuseEncoded(c.req.header('content-encoding'))
    const bytes = await readBody(c.req.raw.body, { most: LARGEST, held }, counted)
    if (isDeeper(bytes, DEEPEST)) throw bad(`The body has more than ${DEEPEST} levels`)
    const value: unknown = JSON.parse(bytes.toString())
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return value as Record<string, unknown>
    throw bad('The body is not a JSON object')
  } catch (error) {
    if (error instanceof SyntaxError) throw bad('The body is not JSON')
    if (error instanceof BadBody) throw bad(error.message)
    throw error
  } finally {
    held.give(counted.bytes)
  }
}

function valuesIn(given: object): ParameterValues {
  for (const value of Object.values(given))
    if (typeof value === 'object' && value !== null)
      throw bad('A parameter is neither a text, a number, true, false nor null')
  return given as readonly RowValue[] | Record<string, RowValue>
}

function bad(message: string, hint = 'Send {"sql": "select 1"}.'): MoraineError {
  return new MoraineError('usage', message, { hint })
}
