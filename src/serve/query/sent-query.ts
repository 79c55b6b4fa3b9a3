import type { Context } from 'hono'
import type { z } from 'zod'
import { MoraineError } from '../../errors.js'
import { HeldBytes } from '../../query/service/held-bytes.js'
import type { NamedQuery } from '../../query/service/named-queries.js'
import type { Caller, QueryRequest } from '../../query/service/request.js'
import type { QueryService } from '../../query/service/service.js'
import { BadBody, readBody, refuseEncoded } from '../body.js'
import { isDeeper } from '../json-depth.js'
import { exactParameters } from './exact-parameters.js'
import { clientToken, namedRequest, queryRequest } from './http/schemas.js'

/** Bytes of a request, and of all that are being read. */
const LARGEST = 2 ** 20
const held = new HeldBytes(64 * LARGEST)
const DEEPEST = 20

/**
 * The query of a request: its SQL, or a named query of whoever asks.
 *
 * @throws MoraineError of kind `usage` for a body that is no query.
 */
export async function requestIn(
  c: Context,
  principal: Caller,
  { named: all }: Pick<QueryService, 'named'>,
): Promise<QueryRequest> {
  const { data, text } = await bodyIn(c, queryRequest)
  const { named, maxRows, parameters, ...own } = data
  if (named !== undefined && own.sql !== undefined)
    throw bad("The body has both 'sql' and 'named'", 'Send one of them.')
  const { sql, schema, workgroup } =
    named === undefined ? own : { ...all.get(principal, named), ...own }
  if (sql === undefined) throw bad("'sql' is missing")
  return {
    ...{ principal, sql },
    ...(schema === undefined ? {} : { schema }),
    ...(workgroup === undefined ? {} : { workgroup }),
    ...(maxRows === undefined ? {} : { maxRows }),
    ...(parameters === undefined ? {} : { parameters: exactParameters(text) }),
  }
}

/**
 * The key under which a query is started once, if the request has one.
 *
 * @throws MoraineError of kind `usage` for one that is not kept.
 */
export function clientTokenIn(c: Context): { clientToken?: string } {
  const sent = c.req.header('idempotency-key')
  if (sent === undefined) return {}
  const { success, data } = clientToken.safeParse(sent)
  if (!success) throw bad('An Idempotency-Key must have 1 to 200 characters', 'Send a UUID.')
  return { clientToken: data }
}

/** What a name is to be given to. */
export async function namedIn(c: Context): Promise<Omit<NamedQuery, 'name' | 'modified'>> {
  const { sql, schema, workgroup, description } = (await bodyIn(c, namedRequest)).data
  return {
    sql,
    ...(schema === undefined ? {} : { schema }),
    ...(workgroup === undefined ? {} : { workgroup }),
    ...(description === undefined ? {} : { description }),
  }
}

/** Numbers of the query string. */
export function numbersIn<S extends z.ZodObject>(c: Context, schema: S): z.output<S> {
  const given: Record<string, number> = {}
  for (const name of Object.keys(schema.shape)) {
    const text = c.req.query(name)
    if (text === undefined) continue
    if (!/^\d{1,15}$/.test(text)) throw bad(`'${name}' is not a whole number`, `Write ${name}=100.`)
    given[name] = Number(text)
    if (!schema.shape[name]?.safeParse(given[name]).success)
      throw bad(`'${name}' is not a whole number above 0`, `Write ${name}=100.`)
  }
  return schema.parse(given)
}

/** The body of a request, as a schema has it, and its text. */
async function bodyIn<S extends z.ZodObject>(
  c: Context,
  schema: S,
): Promise<{ data: z.output<S>; text: string }> {
  const { value, text } = await jsonIn(c)
  const { data, error } = schema.safeParse(value)
  if (error) {
    // A number beyond all others is infinite by now, which the schema calls no number.
    if (error.issues[0]?.path[0] === 'parameters') exactParameters(text)
    throw wrong(error.issues[0], schema)
  }
  return { data: data as z.output<S>, text }
}

/** What a schema has against a body, in words that tell what to send. */
function wrong(issue: z.core.$ZodIssue | undefined, schema: z.ZodObject): MoraineError {
  const fields = Object.keys(schema.shape)
  if (issue?.code === 'unrecognized_keys')
    return bad(`Unknown field '${issue.keys[0]}'`, `Send ${fields.join(', ')}.`)
  const name = String(issue?.path[0])
  if (name === 'parameters')
    return bad(
      "'parameters' is not an object or a list of values: texts, numbers, true, false or null",
      'Send {"sql": "select ?", "parameters": [1]}.',
    )
  if (issue?.code === 'too_big' && issue.origin === 'string')
    return bad(`'${name}' is longer than ${issue.maximum} characters`, `Send a shorter ${name}.`)
  const type = name === 'maxRows' ? 'whole number above 0' : 'string'
  if (issue?.message.endsWith('undefined')) return bad(`'${name}' is missing`)
  return bad(`'${name}' is not a ${type}`, `Send ${name} as a ${type}.`)
}

async function jsonIn(c: Context): Promise<{ value: object; text: string }> {
  const counted = { bytes: 0 }
  try {
    refuseEncoded(c.req.header('content-encoding'))
    const bytes = await readBody(c.req.raw.body, { most: LARGEST, held }, counted)
    if (isDeeper(bytes, DEEPEST)) throw bad(`The body has more than ${DEEPEST} levels`)
    const text = bytes.toString()
    const value: unknown = JSON.parse(text)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return { value, text }
    throw bad('The body is not a JSON object')
  } catch (error) {
    if (error instanceof SyntaxError) throw bad('The body is not JSON')
    if (error instanceof BadBody && error.status === 503)
      throw new MoraineError('limit', error.message, { retryable: true })
    if (error instanceof BadBody) throw bad(error.message)
    throw error
  } finally {
    held.give(counted.bytes)
  }
}

function bad(message: string, hint = 'Send {"sql": "select 1"}.'): MoraineError {
  return new MoraineError('usage', message, { hint })
}
