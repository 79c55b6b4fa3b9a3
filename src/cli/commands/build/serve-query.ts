import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { athenaPrice } from '../../../aws/prices/athena-price.js'
import { isLoopback } from '../../../define/access/encrypted.js'
import { MoraineError, messageOf } from '../../../errors.js'
import type { QueryService } from '../../../query/service/service.js'
import { redact } from '../../../secrets.js'
import type { AwsProtocols } from '../../../serve/aws/aws-app.js'
import { entriesOf } from '../../../serve/mcp/entries.js'
import type { AgentOptions } from '../../../serve/mcp/tools.js'
import type { LocalKeys, Principals } from '../../../serve/principals.js'
import type { ServerOptions } from '../../../serve/server.js'
import { variable } from '../../../settings.js'
import type { ProcessLog } from '../../output/process-log.js'
import type { Project } from '../../project.js'

/** The query service of a server, with what protocols need of it. */
export interface OpenedQuery {
  /** What the server answers, by protocol. */
  protocols: Required<Pick<ServerOptions, 'queries' | 'agents' | 'postgres' | 'aws'>>
  service: QueryService
  principals: Principals
  aws: AwsProtocols
  /** Where `lake.ts` has no principals: those of this machine, and the file that has them. */
  local: { keys: LocalKeys; file: string } | undefined
  close(): Promise<void>
}

const ANOTHER =
  'Another server of this folder keeps what it is asked: executions and named queries of this one end with it'

/**
 * The query service of a lake, for who may do what by its definition.
 *
 * @throws MoraineError for a secret that is missing or empty, and for one that two principals have.
 */
export async function openQuery(
  project: Project,
  processLog: ProcessLog,
  tls: TlsFiles = {},
): Promise<OpenedQuery> {
  const { lake, storage, log, folder } = project
  const { QueryService } = await import('../../../query/service/service.js')
  const { Principals } = await import('../../../serve/principals.js')
  const { queryApp } = await import('../../../serve/query/query-app.js')
  const { AwsProtocols } = await import('../../../serve/aws/aws-app.js')
  const { localKeys } = await import('../../../serve/query/local-keys.js')
  const { ServerState } = await import('../../../query/service/kept/server-state.js')
  const token = variable('MORAINE_TOKEN')
  const onError = (error: unknown) => tellFailed(processLog, error)
  const file = join(folder, '.moraine', 'local-keys.json')
  const local =
    token === undefined && lake.access === undefined
      ? { file, keys: await localKeys(file) }
      : undefined
  const principals = new Principals(token, lake.access, {
    ...{ onError, local: local?.keys, oidc: lake.oidc },
  })
  // One that is not set now would be missed by whoever asks first, however long after.
  await principals.check()
  const state = await ServerState.open(join(folder, '.moraine', 'queries'))
  if (!state)
    onError(new MoraineError('usage', ANOTHER, { hint: 'Stop it, and start this one again.' }))
  const service = new QueryService({
    ...{ storage, log, lake, state },
    ...{ priceOf: athenaPrice, onError },
  })
  await service.resume().catch(onError)
  const { agentApp } = await import('../../../serve/mcp/agent-app.js')
  const { PostgresServer } = await import('../../../serve/postgres/server.js')
  const agents = agentApp({ ...agentOptions(project, service), principals, onError })
  const postgres = new PostgresServer({
    ...{ service, principals, database: lake.name, onError },
    tls: await secureContext(tls),
  })
  const queries = queryApp(service, { principals, onError })
  const aws = new AwsProtocols({
    ...{ service, principals, storage, log, state, onError },
    folder: join(folder, '.moraine', 's3'),
  })
  await aws.resume().catch(onError)
  const close = async () => {
    await aws.close()
    await service.close()
    await state?.close()
  }
  return { protocols: { queries, agents, postgres, aws }, service, principals, aws, local, close }
}

/** What agents ask of a lake. */
export function agentOptions(project: Project, service: QueryService): AgentOptions {
  const { lake, storage, log } = project
  return {
    ...{ service, lake },
    entries: entriesOf({ lake, storage, log, session: () => project.session() }),
  }
}

/** Files with a certificate and its key, in PEM. */
export interface TlsFiles {
  tlsCert?: string
  tlsKey?: string
}

/** @throws MoraineError of kind `usage` for files that are no certificate with its key. */
async function secureContext({ tlsCert, tlsKey }: TlsFiles): Promise<SecureContext | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new MoraineError('usage', '--tls-cert and --tls-key belong together', {
      hint: 'Give both: the certificate with those that prove it, and its key, in PEM.',
    })
  try {
    const [cert, key] = await Promise.all([readFile(tlsCert), readFile(tlsKey)])
    return createSecureContext({ cert, key, minVersion: 'TLSv1.2' })
  } catch (cause) {
    throw new MoraineError('usage', `${tlsCert} and ${tlsKey} are no certificate with its key`, {
      cause,
      hint: messageOf(cause),
    })
  }
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
export function tellQuery(
  log: ProcessLog,
  url: string,
  { local }: OpenedQuery,
  database: string,
): void {
  const keys = local
    ? [
        `    The keys of this machine are in ${local.file}, which only you can read:`,
        `    export MORAINE_TOKEN=$(node -p 'require("${local.file}").token')`,
        `    export AWS_ENDPOINT_URL=${url} AWS_DEFAULT_REGION=us-east-1`,
        `    export AWS_ACCESS_KEY_ID=$(node -p 'require("${local.file}").accessKeyId')`,
        `    export AWS_SECRET_ACCESS_KEY=$(node -p 'require("${local.file}").secretAccessKey')`,
        `    export PGPASSWORD=$(node -p 'require("${local.file}").password')`,
      ]
    : []
  const { host } = new URL(url)
  const user = local?.keys.name ?? 'USER'
  const postgres = `postgres://${user}@${host}/${encodeURIComponent(database)}`
  const lines = [
    `  Queries: POST ${url}/v1/query`,
    `  PostgreSQL: psql "${postgres}"`,
    `  Athena, Glue, S3 and STS: AWS_ENDPOINT_URL=${url}`,
    `  Agents (MCP): ${url}/mcp`,
  ]
  log.tell({ event: 'query', url, postgres }, [...lines, ...keys].join('\n'))
}

function tellFailed(log: ProcessLog, error: unknown): void {
  const hint = error instanceof MoraineError && error.hint ? `. ${error.hint}` : ''
  log.tell({ event: 'query failed' }, `Query: ${redact(messageOf(error) + hint)}`, 'warn')
}
