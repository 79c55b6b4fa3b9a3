import type { Hono } from 'hono'
import { isLoopback } from '../../../define/access/encrypted.js'
import type { Principal } from '../../../define/access/principal.js'
import { MoraineError, messageOf } from '../../../errors.js'
import { type AuditedCall, isRefused } from '../../../query/audit/call.js'
import { redact } from '../../../secrets.js'
import type { AuditTrail } from '../../../serve/audit/trail.js'
import type { CatalogOptions } from '../../../serve/rest/http/catalog-options.js'
import { variable } from '../../../settings.js'
import type { ProcessLog } from '../../output/process-log.js'
import type { Project } from '../../project.js'

type Served = Pick<Project, 'lake' | 'storage'>

/**
 * The Iceberg REST catalog of a lake, for who may do what by its definition.
 *
 * @throws MoraineError for a secret that is missing or empty, and for one that two principals have.
 */
export async function openCatalog(
  of: Served,
  options: Pick<CatalogOptions, 'allowLocations' | 'behindProxy' | 'credentials'>,
  log: ProcessLog,
): Promise<{ app: Hono; audit: AuditTrail }> {
  const { lakeCatalog } = await import('../../../serve/rest/lake-catalog.js')
  return lakeCatalog(of, {
    ...options,
    onError: (error) => tellFailed(log, error),
    onAuditError: (error) =>
      log.tell({ event: 'audit failed' }, `The audit trail has gaps: ${messageOf(error)}`, 'warn'),
    onCall: (call) => tellRefused(log, call),
  })
}

/** Says what a client was only told that it failed. */
function tellFailed(log: ProcessLog, error: unknown): void {
  const hint = error instanceof MoraineError && error.hint ? `. ${error.hint}` : ''
  log.tell({ event: 'catalog failed' }, `Catalog: ${redact(messageOf(error) + hint)}`, 'warn')
}

/** Says which writes and which secrets were refused; the audit trail has the others. */
function tellRefused(log: ProcessLog, call: AuditedCall): void {
  const { principal, route, names, status, from, reason } = call
  const isWrite = !/^(GET|HEAD) /.test(route ?? '')
  if (!isRefused(call) || (status !== 401 && !isWrite)) return
  const who = `${principal ?? 'A client without a valid token'}${from ? ` at ${from}` : ''}`
  const what = `${route ?? 'a route that does not exist'}${names.length > 0 ? ` for ${names.join(', ')}` : ''}`
  const why = reason === undefined ? '' : `. ${redact(reason)}`
  log.tell({ event: 'refused', ...call }, `${who} was refused (${status}): ${what}${why}`, 'warn')
}

/**
 * Engines that are not on this machine must show who they are, and find no files at locations of
 * this one.
 */
export function checkCatalogAccess(
  { lake, storage: { url } }: Served,
  host: string,
  behindProxy = false,
): void {
  const isLocal = isLoopback(host)
  if (isLocal && !behindProxy) return
  if (variable('MORAINE_TOKEN') === undefined && lake.access === undefined)
    throw new MoraineError(
      'usage',
      `Anyone who can reach ${isLocal ? 'the proxy' : host} could read the lake`,
      {
        hint: 'Set MORAINE_TOKEN, or define access in lake.ts: engines must then show a token.',
      },
    )
  if (url.startsWith('file://'))
    throw new MoraineError(
      'usage',
      `Engines on other machines cannot open the files of ${url}, which the catalog would refer them to`,
      { hint: 'Listen on 127.0.0.1 without a proxy, or keep the lake in a bucket.' },
    )
}

/** Says where engines find the catalog, and who may do what. */
export function tellCatalog(log: ProcessLog, url: string, { access }: Project['lake']): void {
  const operator = variable('MORAINE_TOKEN') !== undefined
  const writes = operator || (access ?? []).some(({ write }) => write.length > 0)
  const principals = (access ?? []).map(({ name, read, write }) => ({
    name,
    read: read.map(({ text }) => text),
    write: write.map(({ text }) => text),
  }))
  const how =
    operator || access
      ? ''
      : ' (read-only: set MORAINE_TOKEN, or define access in lake.ts, so that engines can write)'
  const width = Math.max(
    ...[...(access ?? []), { name: operator ? OPERATOR : '' }].map((p) => p.name.length),
  )
  const lines = (access ?? []).map((one) => `    ${one.name.padEnd(width)}  ${rightsIn(one)}`)
  if (access && operator) lines.push(`    ${OPERATOR.padEnd(width)}  reads and writes everything`)
  log.tell(
    { event: 'catalog', url, writes, operator, ...(access ? { principals } : {}) },
    [`  Iceberg REST catalog: ${url}${how}`, ...lines].join('\n'),
  )
}

const OPERATOR = 'MORAINE_TOKEN'

/** What a principal may do, in words. */
function rightsIn({ read, write }: Principal): string {
  const parts = Object.entries({ reads: read, writes: write })
  return parts
    .filter(([, grants]) => grants.length > 0)
    .map(([verb, grants]) => `${verb} ${grants.map(({ text }) => text).join(', ')}`)
    .join('; ')
}
