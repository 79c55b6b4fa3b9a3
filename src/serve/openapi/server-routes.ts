import { z } from 'zod'
import { type DescribedRoutes, json, others, refused } from './described.js'

const status = z.object({ status: z.string() })
const noToken = refused('The token is missing or wrong')

/** Routes of the server beside those of the query service. */
export const serverRoutes: DescribedRoutes = {
  'GET /healthz': {
    summary: 'Whether the process is up',
    access: 'anyone',
    answers: { 200: json('It is', status), ...others },
  },
  'GET /readyz': {
    summary: 'Whether it can do its work',
    access: 'anyone',
    answers: { ...others, 200: json('It can', status), 503: json('It cannot yet', status) },
  },
  'GET /openapi.json': {
    summary: 'This document',
    access: 'anyone',
    answers: { 200: json('OpenAPI 3.1', z.looseObject({ openapi: z.string() })), ...others },
  },
  'POST /ingest/:dataset': {
    summary: 'Sends rows to a dataset that takes them',
    access: 'token',
    headers: z.object({
      'Idempotency-Key': z
        .string()
        .min(1)
        .max(200)
        .optional()
        .describe('Requests with the same key are ingested once'),
    }),
    body: { schema: undefined, type: 'application/x-ndjson' },
    answers: {
      ...others,
      200: json(
        'The rows are durable',
        z.object({ rows: z.int(), key: z.string(), duplicate: z.boolean() }),
      ),
      400: refused('The body is not JSON, or the key is not one'),
      401: noToken,
      404: refused('No such dataset accepts rows'),
      408: refused('The body took too long'),
      409: refused('The key was used for another body'),
      413: refused('The body is too large'),
      415: refused('The body is packed'),
      503: refused('Nothing can be ingested at the moment: send it again'),
    },
  },
  'POST /events/:dataset': {
    summary: 'Says that something has arrived in an inbox',
    access: 'token',
    answers: {
      202: json('It is looked for', z.object({ accepted: z.literal(true) })),
      401: noToken,
      404: refused('No such dataset has an inbox'),
      ...others,
    },
  },
  'GET /metrics': {
    summary: 'Metrics for Prometheus',
    access: 'token',
    answers: {
      200: { description: 'Its text format', content: { 'text/plain': undefined } },
      401: noToken,
      ...others,
    },
  },
  'GET /status': {
    summary: 'What jobs do, and how storage is',
    access: 'token',
    answers: { 200: json('The state', z.looseObject({})), 401: noToken, ...others },
  },
  'ALL /mcp': {
    summary: 'Tools for agents: a message of the Model Context Protocol',
    access: 'principal',
    body: { schema: z.looseObject({ jsonrpc: z.literal('2.0') }) },
    answers: {
      200: json('The answer to it', z.looseObject({ jsonrpc: z.literal('2.0') })),
      202: { description: 'It was a notification' },
      401: noToken,
      405: refused('Only POST is answered'),
      501: refused('The package that answers is not installed'),
      ...others,
    },
  },
}
