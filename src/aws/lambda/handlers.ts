/*
 * What Lambda invokes, by the names that templates give: `index.inbox` and so on. The build makes
 * one file of it (`package/code.ts`).
 */
import { handle, streamHandle } from 'hono/aws-lambda'
import { messageOf } from '../../errors.js'
import { redact } from '../../secrets.js'
import { tell } from './log.js'
import type { FunctionContext } from './run-job.js'

export { inbox, schedule } from './inbox.js'

/** The projection to Glue's catalog, which other functions never load. */
export const project = async (event: unknown, context: FunctionContext) =>
  (await import('./projection.js')).project(event, context)

/** The catalog, loaded by its first request: other functions never need it. */
const rest = {
  fetch: async (request: Request, env?: object): Promise<Response> => {
    try {
      const { openCatalog } = await import('./catalog.js')
      const { app, audit } = await openCatalog()
      const answer = await app.fetch(request, env)
      // Nothing runs once the answer is sent.
      await audit.flush()
      return answer
    } catch (error) {
      tell('error', { event: 'catalog failed', message: redact(messageOf(error)) })
      return Response.json(
        { error: { message: 'the catalog failed', type: 'ServerError', code: 500 } },
        { status: 500 },
      )
    }
  },
} as Parameters<typeof handle>[0]

/**
 * The Iceberg REST catalog behind the address of a function, under `/iceberg`; answers are streamed
 * where the runtime can do that.
 */
export const catalog: (...of: any[]) => unknown = (
  globalThis as { awslambda?: { streamifyResponse?: unknown } }
).awslambda?.streamifyResponse
  ? streamHandle(rest)
  : handle(rest)
