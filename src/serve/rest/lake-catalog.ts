import type { Hono } from 'hono'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { AuditedCall } from '../../query/audit/call.js'
import { variable } from '../../settings.js'
import type { RetryingStorage } from '../../storage/retrying.js'
import { AuditTrail } from '../audit/trail.js'
import { Principals } from '../principals.js'
import { catalog } from './catalog.js'
import type { CatalogOptions } from './http/catalog-options.js'

/** Milliseconds for which a request waits for storage that does not answer. */
const REQUEST_PATIENCE = 5000

interface LakeCatalogOptions
  extends Pick<CatalogOptions, 'allowLocations' | 'behindProxy' | 'credentials'> {
  /** Hears of what went wrong inside, of a call and of the trail of calls. */
  onError: (error: unknown) => void
  onAuditError: (error: unknown) => void
  /** Hears of each call beside the trail. */
  onCall?: (call: AuditedCall) => void
}

/**
 * The Iceberg REST catalog of a lake, for who may do what by its definition and by MORAINE_TOKEN;
 * its calls are in the lake's audit trail.
 *
 * @throws MoraineError for a secret that is missing or empty, and for one that two principals have.
 */
export async function lakeCatalog(
  { lake, storage }: { lake: Lake; storage: RetryingStorage },
  { onError, onAuditError, onCall, ...options }: LakeCatalogOptions,
): Promise<{ app: Hono; audit: AuditTrail }> {
  const token = variable('MORAINE_TOKEN')
  const principals = new Principals(token, lake.access, { onError, oidc: lake.oidc })
  // One that is not set now would be missed by whoever asks first, however long after.
  await principals.check()
  const patient = storage.with({ total: REQUEST_PATIENCE })
  const audit = new AuditTrail(patient, { onError: onAuditError })
  const app = catalog(patient, {
    token,
    access: lake.access,
    principals,
    writable: lake.datasets
      .filter((dataset) => dataset.tier !== 'bronze' && dataset.writes === 'allow')
      .map(fullName),
    onCall: (call) => {
      audit.add(call)
      onCall?.(call)
    },
    onError,
    ...options,
  })
  return { app, audit }
}
