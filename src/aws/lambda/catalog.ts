import { Hono } from 'hono'
import { MoraineError, messageOf } from '../../errors.js'
import { redact } from '../../secrets.js'
import { lakeCatalog } from '../../serve/rest/lake-catalog.js'
import { variable } from '../../settings.js'
import { functionLake } from './function-lake.js'
import { tell } from './log.js'

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
  if (variable('MORAINE_TOKEN') === undefined && lake.access === undefined)
    throw new MoraineError('usage', 'Anyone who knows the address could read the lake', {
      hint: 'Define access in lake.ts: engines must then show a token.',
    })
  const onError = (error: unknown) =>
    tell('warn', { event: 'catalog failed', message: redact(messageOf(error)) })
  const { app, audit } = await lakeCatalog(
    { lake, storage: house.storage },
    // Lambda ends what is encrypted, and says where calls come from.
    { onError, onAuditError: onError, behindProxy: true },
  )
  return { app: new Hono().route('/iceberg', app), audit }
}
