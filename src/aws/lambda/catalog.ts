import { Hono } from 'hono'
import { fullName } from '../../define/dataset.js'
import { MoraineError, messageOf } from '../../errors.js'
import { redact } from '../../secrets.js'
import { AuditTrail } from '../../serve/audit/trail.js'
import { Principals } from '../../serve/principals.js'
import { catalog as restCatalog } from '../../serve/rest/catalog.js'
import { variable } from '../../settings.js'
import { functionLake } from './function-lake.js'
import { tell } from './log.js'

/** Milliseconds for which a request waits for storage that does not answer. */
const REQUEST_PATIENCE = 5000

let opened: ReturnType<typeof open> | undefined

/**
 * The lake's Iceberg REST catalog, for who may do what by its definition.
 *
 * @throws MoraineError of kind `usage` where nobody would have to show a token.
 */
export function openCatalog(): ReturnType<typeof open> {
  opened ??= open().catch((error) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open() {
  const { lake, house } = await functionLake()
  const token = variable('MORAINE_TOKEN')
  if (token === undefined && lake.access === undefined)
    throw new MoraineError('usage', 'Anyone who knows the address could read the lake', {
      hint: 'Define access in lake.ts: engines must then show a token.',
    })
  const onError = (error: unknown) =>
    tell('warn', { event: 'catalog failed', message: redact(messageOf(error)) })
  const principals = new Principals(token, lake.access, { onError })
  await principals.check()
  const storage = house.storage.with({ total: REQUEST_PATIENCE })
  const audit = new AuditTrail(storage, { onError })
  const app = restCatalog(storage, {
    token,
    access: lake.access,
    principals,
    writable: lake.datasets
      .filter((dataset) => dataset.tier !== 'bronze' && dataset.writes === 'allow')
      .map(fullName),
    onCall: (call) => audit.add(call),
    onError,
    // Lambda ends what is encrypted, and says where calls come from.
    behindProxy: true,
  })
  return { app: new Hono().route('/iceberg', app), audit }
}
