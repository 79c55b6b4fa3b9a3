import { z } from 'zod'
import { streamed } from '../../../query/formats/streams.js'
import { type DescribedRoute, type DescribedRoutes, json, others } from '../../openapi/described.js'
import * as schemas from './schemas.js'

/** What any route of the query service may answer. */
const failures = {
  ...others,
  400: json('The request, or its query, is wrong', schemas.failure),
  401: json('The token is missing or wrong', schemas.failure),
  422: json('A limit is passed', schemas.failure),
  429: json('Too many wait: come again after Retry-After seconds', schemas.failure),
  500: json('The server failed to answer', schemas.failure),
  503: json('The storage is away, or too many requests are being answered', schemas.failure),
}

function route(
  summary: string,
  answers: DescribedRoute['answers'],
  more: Partial<DescribedRoute> = {},
): DescribedRoute {
  return { summary, access: 'principal', ...more, answers: { ...answers, ...failures } }
}

const query = { body: { schema: schemas.queryRequest } }
const ofExecution = { 200: json('What became of it', schemas.execution) }
const ofNamed = { 200: json('The query', schemas.namedQuery) }

/** The routes of the query service, below `/v1`. */
export const queryRoutes: DescribedRoutes = {
  'GET /v1/tables': route('The tables that you may query', {
    200: json('Tables and views with their columns', schemas.tables),
  }),
  'POST /v1/describe': route(
    'Columns and parameters of a query; nothing is read',
    { 200: json('What it would give', schemas.description) },
    query,
  ),
  'GET /v1/history': route(
    'What you asked, what it cost, and why it failed or was refused',
    { 200: json('The newest first', schemas.history) },
    { query: schemas.newest },
  ),
  'POST /v1/query': route(
    'Runs a query',
    {
      200: {
        description: 'Its rows, in the format that is accepted',
        content: {
          'application/json': schemas.answer,
          ...Object.fromEntries(Object.keys(streamed).map((type) => [type, undefined])),
        },
      },
    },
    query,
  ),
  'POST /v1/queries': route(
    'Starts a query, whose rows are read later',
    { 202: json('It was started', schemas.execution) },
    {
      ...query,
      headers: z.object({
        'Idempotency-Key': schemas.clientToken.optional().describe('Starts the query once'),
      }),
    },
  ),
  'GET /v1/queries': route(
    'What you started, the newest first',
    { 200: json('A page', schemas.executions) },
    { query: schemas.page },
  ),
  'GET /v1/queries/:id': route('What became of a query', ofExecution),
  'GET /v1/queries/:id/results': route(
    'Rows of a query that has succeeded',
    { 200: json('A page', schemas.results) },
    { query: schemas.page },
  ),
  'GET /v1/queries/:id/events': route('Its progress, until it is done', {
    200: {
      description: 'Server-Sent Events, each named after the state, with the execution as JSON',
      content: { 'text/event-stream': undefined },
    },
  }),
  'DELETE /v1/queries/:id': route('Stops a query', ofExecution),
  'GET /v1/named': route('Your named queries', {
    200: json('By their names', schemas.namedQueries),
  }),
  'GET /v1/named/:name': route('A named query', ofNamed),
  'PUT /v1/named/:name': route(
    'Proves a query, and gives it a name',
    { 200: json('The query, with its columns and parameters', schemas.namedAndDescribed) },
    { body: { schema: schemas.namedRequest } },
  ),
  'DELETE /v1/named/:name': route('Takes the name from a query', ofNamed),
}
