import { setTimeout as sleep } from 'node:timers/promises'
import type { Redshift } from '../../define/export/redshift.js'
import { MoraineError } from '../../errors.js'
import type { TargetSession } from '../dialect.js'
import type { Loaded } from '../load/work.js'
import { quote, text } from './types.js'

/** A table that is read where it lies. */
export interface CatalogTable {
  schema: string
  name: string
  /** How many rows the lake has, and as of which commit. */
  rows: number
  commit: number
  grants: readonly string[]
  dry: boolean
  /**
   * Milliseconds for which the catalog may be behind; a look changes nothing and waits for none.
   */
  patience?: number
}

/** The catalog follows a commit by an event, which takes some seconds. */
const PATIENCE = 30_000
const PAUSE = 2_000

/**
 * Has a schema of Redshift read the tables of a database of Glue's catalog. Nothing is loaded: what
 * the catalog says is what is read, so its count of rows is compared.
 *
 * @throws MoraineError of kind `export` for a schema that is there and reads something else.
 */
export async function readCatalog(
  session: TargetSession,
  { catalog = '', role }: Redshift,
  { schema, name, rows, commit, grants, dry, patience = dry ? 0 : PATIENCE }: CatalogTable,
): Promise<Loaded> {
  const found = await kindOf(session, schema)
  if (found !== undefined && found !== catalog)
    throw new MoraineError('export', `The schema ${schema} exists, and does not read ${catalog}`, {
      hint: 'Nothing was changed. Choose another schema in lake.ts.',
    })
  const loaded = (action: 'none' | 'replace', reason: string): Loaded => ({
    decision: { action, reason },
    written: 0n,
    rows: BigInt(rows),
    commit,
  })
  if (dry && found === undefined)
    return loaded('replace', `${schema} does not read ${catalog} of Glue yet`)
  if (found === undefined)
    for (const sql of externalSchemaSql(schema, catalog, role)) await session.ask(sql)
  for (const grant of dry ? [] : grants)
    await session.ask(`GRANT USAGE ON SCHEMA ${quote(schema)} TO ${quote(grant)}`)
  await compare(session, { schema, name, rows, patience })
  return loaded(found === undefined ? 'replace' : 'none', `${schema} reads ${catalog} of Glue`)
}

/** What an external schema reads; an empty text for one that is none, `undefined` without one. */
async function kindOf(session: TargetSession, schema: string): Promise<string | undefined> {
  const [external] = await session.ask(
    `SELECT databasename FROM svv_external_schemas WHERE schemaname = ${text(schema)}`,
  )
  if (external) return external[0] ?? ''
  const [own] = await session.ask(`SELECT 1 FROM pg_namespace WHERE nspname = ${text(schema)}`)
  return own ? '' : undefined
}

async function compare(
  session: TargetSession,
  {
    schema,
    name,
    rows,
    patience,
  }: Pick<CatalogTable, 'schema' | 'name' | 'rows'> & { patience: number },
): Promise<void> {
  const [[counted] = []] = await session.ask(`SELECT COUNT(*) FROM ${quote(schema)}.${quote(name)}`)
  if (Number(counted) === rows) return
  if (patience > 0) {
    await sleep(Math.min(PAUSE, patience))
    return compare(session, { schema, name, rows, patience: patience - PAUSE })
  }
  throw new MoraineError(
    'export',
    `${schema}.${name} has ${counted} rows in Glue's catalog, the lake has ${rows}`,
    {
      retryable: true,
      hint: 'The catalog is behind the lake. It follows by itself on AWS; bring it up to date with: moraine project',
    },
  )
}

/** The statement that makes the schema, which can't be part of a transaction. */
export const externalSchemaSql = (schema: string, catalog: string, role: string): string[] => [
  `CREATE EXTERNAL SCHEMA IF NOT EXISTS ${quote(schema)} FROM DATA CATALOG DATABASE ${text(catalog)} IAM_ROLE ${role === 'default' ? 'default' : text(role)}`,
]
