import { z } from 'zod'

/** A value of a parameter: it is bound as a value, and never read as SQL. */
const parameter = z.union([z.string(), z.number(), z.boolean(), z.null()])

const ofQuery = {
  schema: z
    .string()
    .max(128)
    .optional()
    .describe('The namespace of tables that are named without one'),
  workgroup: z.string().max(128).optional().describe('The workgroup whose limits hold'),
}

/** The key under which a query is started once, however often it is sent. */
export const clientToken = z.string().min(1).max(200)

/** A query as it is sent. */
export const queryRequest = z.strictObject({
  sql: z.string().optional().describe('One SELECT, unless a named query is asked'),
  named: z.string().optional().describe('The name of a query of yours, in place of sql'),
  ...ofQuery,
  parameters: z
    .union([z.array(parameter), z.record(z.string(), parameter)])
    .optional()
    .describe('Values of ? and $1 in their order, or of :name by names'),
  maxRows: z.int().positive().optional().describe('Rows after which the result ends'),
})

/** A query that is given a name. */
export const namedRequest = z.strictObject({
  sql: z.string(),
  ...ofQuery,
  description: z.string().max(1024).optional(),
})

const from = z.int().min(0).optional()
const most = z.int().min(1).optional()
/** A part of a list, and one that has no beginning but the newest. */
export const page = z.object({ from, most })
export const newest = z.object({ most })

const column = z.object({ name: z.string(), type: z.string() })
const statistics = z.object({
  bytesEstimated: z.number(),
  bytesRead: z.number(),
  rows: z.int(),
  queuedMs: z.number(),
  runMs: z.number(),
  price: z.number().describe('US dollars that Athena would charge'),
  reused: z.boolean(),
})
const rows = z
  .array(z.array(z.unknown()))
  .describe(
    'Values in the order of the columns. Whole numbers beyond 2^53, decimals, dates and times are texts, as are NaN and infinities; bytes are Base64.',
  )
const time = z.string().describe('ISO 8601, in UTC')

export const failure = z.object({
  error: z.object({ kind: z.string(), message: z.string(), hint: z.string().optional() }),
})

export const answer = z.object({
  ...{ id: z.string(), columns: z.array(column), rows, statistics },
})

export const description = z.object({
  columns: z.array(column),
  parameters: z.array(z.object({ name: z.string(), type: z.string().optional() })),
})

export const tables = z.object({
  tables: z.array(
    z.object({
      schema: z.string(),
      name: z.string(),
      kind: z.enum(['table', 'view']),
      comment: z.string().optional(),
      columns: z.array(column.extend({ nullable: z.boolean(), comment: z.string().optional() })),
    }),
  ),
})

export const execution = z.object({
  id: z.string(),
  sql: z.string(),
  workgroup: z.string().optional(),
  schema: z.string().optional(),
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  submitted: time,
  ended: time.optional(),
  columns: z.array(column).optional(),
  statistics,
  error: failure.shape.error.optional(),
})

const next = z.int().nullable().describe('Where the next page begins, where there is one')
export const executions = z.object({ queries: z.array(execution), next })
export const results = z.object({ columns: z.array(column), rows, next })

export const history = z.object({
  queries: z.array(
    statistics.extend({
      id: z.string(),
      time,
      principal: z.string(),
      workgroup: z.string(),
      sql: z.string(),
      counted: z.number().optional().describe("Bytes of the workgroup's day that it used"),
      error: z.object({ kind: z.string(), message: z.string() }).optional(),
    }),
  ),
})

export const namedQuery = z.object({
  name: z.string(),
  sql: z.string(),
  schema: z.string().optional(),
  workgroup: z.string().optional(),
  description: z.string().optional(),
  modified: time,
})

export const namedAndDescribed = namedQuery.extend(description.shape)
export const namedQueries = z.object({ queries: z.array(namedQuery) })
