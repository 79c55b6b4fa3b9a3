import { createHash } from 'node:crypto'
import { quoteName, quoteText } from '../../define/sql.js'
import { MoraineError } from '../../errors.js'
import type { RemoteSession } from '../engine.js'

/** What the databases are called by the extension that reads them, and the extension. */
const extensions = { postgres: 'postgres_scanner' } as const

/** Extensions that an engine could load, or could not, each tried once. */
export type Loaded = Map<string, Promise<boolean>>

/** Loads the extension for a kind of databases, unless the machine has none. */
export function loadFor(
  kind: RemoteSession['kind'],
  loaded: Loaded,
  run: (sql: string) => Promise<unknown>,
): Promise<boolean> {
  const name = extensions[kind]
  const known = loaded.get(name)
  if (known) return known
  const found = run(`LOAD ${name}`).then(
    () => true,
    () => false,
  )
  loaded.set(name, found)
  return found
}

/** What a database is called in the engine. */
export function remoteName({ connection }: RemoteSession): string {
  const hash = createHash('sha256').update(JSON.stringify(connection)).digest('hex')
  return `remote_${hash.slice(0, 16)}`
}

/** Makes a database known under a name. What goes wrong is told without the password that the SQL has. */
export async function attach(
  { kind, connection }: RemoteSession,
  name: string,
  run: (sql: string) => Promise<unknown>,
): Promise<void> {
  const fields = Object.entries(connection).map(
    ([field, value]) => `${field}='${value.replace(/['\\]/g, '\\$&')}'`,
  )
  try {
    await run(`ATTACH ${quoteText(fields.join(' '))} AS ${quoteName(name)} (TYPE ${kind})`)
  } catch {
    throw new MoraineError('engine', `The engine can not connect to ${connection.host} itself`)
  }
}
