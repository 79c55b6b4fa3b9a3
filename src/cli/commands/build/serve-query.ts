import { join } from 'node:path'
import type { Hono } from 'hono'
import { costOf } from '../../../aws/prices/prices.js'
import { MoraineError, messageOf } from '../../../errors.js'
import type { QueryService } from '../../../query/service/service.js'
import { redact } from '../../../secrets.js'
import { isLoopback } from '../../../serve/access.js'
import type { LocalKeys, Principals } from '../../../serve/principals.js'
import { variable } from '../../../settings.js'
import type { ProcessLog } from '../../output/process-log.js'
import type { Project } from '../../project.js'

/** The query service of a server, with what protocols need of it. */
export interface OpenedQuery {
  app: Hono
  service: QueryService
  principals: Principals
  /** Where `lake.ts` has no principals: those of this machine, and the file that has them. */
  local: { keys: LocalKeys; file: string } | undefined
}

/**
 * The query service of a lake, for who may do what by its definition.
 *
 * @throws MoraineError for a secret that is missing or empty, and for one that two principals have.
 */
export async function openQuery(
  { lake, storage, log, folder }: Project,
  processLog: ProcessLog,
): Promise<OpenedQuery> {
  const { QueryService } = await import('../../../query/service/service.js')
  const { Principals } = await import('../../../serve/principals.js')
  const { queryApp } = await import('../../../serve/query/query-app.js')
  const { localKeys } = await import('../../../serve/query/local-keys.js')
  const token = variable('MORAINE_TOKEN')
  const onError = (error: unknown) => tellFailed(processLog, error)
  const file = join(folder, '.moraine', 'local-keys.json')
  const local =
    token === undefined && lake.access === undefined
      ? { file, keys: await localKeys(file) }
      : undefined
  const principals = new Principals(token, lake.access, { onError, local: local?.keys })
  // One that is not set now would be missed by whoever asks first, however long after.
  await principals.check()
  const service = new QueryService({
    ...{ storage, log, lake },
    priceOf: (bytes) => costOf({ 'athena.bytes': bytes }).usd,
  })
  return { app: queryApp(service, { principals, onError }), service, principals, local }
}

/** Whoever is not on this machine must show who it is. */
export function checkQueryAccess({ lake }: Project, host: string, behindProxy = false): void {
  if (isLoopback(host) && !behindProxy) return
  if (variable('MORAINE_TOKEN') !== undefined || lake.access !== undefined) return
  throw new MoraineError('usage', `Anyone who can reach ${host} would need keys of this machine`, {
    hint: 'Set MORAINE_TOKEN, or define access in lake.ts: clients must then show who they are.',
  })
}

/** Says where queries are answered, and with which keys. */
export function tellQuery(log: ProcessLog, url: string, { local }: OpenedQuery): void {
  const keys = local
    ? [
        `    The keys of this machine are in ${local.file}, which only you can read:`,
        `    export MORAINE_TOKEN=$(node -p 'require("${local.file}").token')`,
      ]
    : []
  log.tell({ event: 'query', url }, [`  Queries: POST ${url}/v1/query`, ...keys].join('\n'))
}

function tellFailed(log: ProcessLog, error: unknown): void {
  const hint = error instanceof MoraineError && error.hint ? `. ${error.hint}` : ''
  log.tell({ event: 'query failed' }, `Query: ${redact(messageOf(error) + hint)}`, 'warn')
}
