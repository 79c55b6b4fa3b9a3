import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { StepContext } from '../step/context.js'
import { emptyRelation } from '../step/expressions.js'
import { tableFiles } from '../step/table-files.js'
import type { TableOutput } from '../step/task/output.js'
import { writeTable } from '../step/write-table.js'
import { inBucket, keysOf, newer } from './keys.js'
import type { Work } from './stages.js'

/** Which keys are gone, so that older rows of them that come late do not bring them back. */
export interface Tombstones {
  /** SQL for the rows to write. */
  rows: string
  removed: ReadonlySet<string> | 'all'
  /** Deletions that are new. */
  deleted: number
  /** Deletions that lost to a newer row of their key. */
  lost: number
}

/** The table of keys that are gone: `deleted.orders`. */
const tombstonesOf = (dataset: { name: string }): string => `deleted.${dataset.name}`

/** Its columns: key and cursor, what took the key away, and where that was read. */
export function tombstoneColumns({ schema, key, cursor }: Silver): Field[] {
  const kept = fieldsOfShape(schema.shape as never).filter(
    ({ name }) => key.includes(name) || name === cursor,
  )
  return [
    ...kept,
    { name: '_kind', type: { kind: 'string' }, description: "'delete' or 'invalid'." },
    { name: '_source_file', type: { kind: 'string' } },
    {
      name: '_source_line',
      type: { kind: 'bigint' },
      description: 'Physical line, starting at 1.',
    },
    { name: '_batch', type: { kind: 'string' } },
  ]
}

const names = (dataset: Silver) =>
  tombstoneColumns(dataset)
    .map(({ name }) => quoteName(name))
    .join(', ')

const deletions = (session: Session, { sql: from }: Relation) =>
  count(session, `SELECT count(*) AS n FROM ${from} WHERE _kind = 'delete'`)

/** Tombstones for a table that is built from all of its inputs. */
export async function newTombstones(
  session: Session,
  dataset: Silver,
  latest: Relation,
): Promise<Tombstones> {
  const rows = `SELECT ${names(dataset)} FROM ${latest.sql} WHERE _kind <> 'valid'`
  return { rows, removed: 'all', deleted: await deletions(session, latest), lost: 0 }
}

/** Tombstones that are there. */
export interface KnownTombstones {
  all: Relation
  /** Those whose key new rows have; `_stale` where the tombstone is the newer one. */
  matches: Relation
  /** They are those of a bucket of keys. */
  isPart: boolean
}

/**
 * Finds tombstones whose key the new rows have.
 *
 * @param bucket SQL over a row whether its key is one of those that are compared.
 */
export async function matchTombstones(
  { context, session, dataset }: Work,
  { sql: latest }: Relation,
  bucket?: string,
): Promise<KnownTombstones> {
  const table = await context.relations.table(tombstonesOf(dataset))
  const relation = table
    ? session.tables.scan(table.schema, tableFiles(context.storage, table, await table.plan()))
    : emptyRelation(tombstoneColumns(dataset), session.dialect)
  const all = inBucket(relation, bucket)
  const on = keysOf(dataset).map((key) => `e.${key} = w.${key}`)
  const matches = await session.materialize(
    `SELECT e.*, ${newer(dataset, 'e', 'w')} AS _stale FROM (${all}) AS e JOIN ${latest} AS w ON ${on.join(' AND ')}`,
  )
  return { all: { sql: `(${all})` }, matches, isPart: bucket !== undefined }
}

/** New tombstones beside those that no newer row has taken the place of. */
export async function mergeTombstones(
  session: Session,
  dataset: Silver,
  fresh: Relation,
  { all, matches, isPart }: KnownTombstones,
): Promise<Tombstones> {
  const keys = keysOf(dataset).join(', ')
  const added = `SELECT ${names(dataset)} FROM ${fresh.sql} WHERE _kind <> 'valid'`
  const gone = { sql: `(SELECT * FROM ${matches.sql} WHERE NOT _stale)` }
  const deleted = await deletions(session, fresh)
  const lost = await deletions(session, gone)
  const isNone = (await count(session, `SELECT count(*) AS n FROM ${gone.sql}`)) === 0
  // Parts of which one replaces the table replace it together.
  if (isNone && !isPart) return { rows: added, removed: new Set(), deleted, lost }
  const { antiJoin, union } = session.dialect.rows
  const others = antiJoin(all.sql, gone.sql, { using: keys })
  const rows = union([added, `(SELECT ${names(dataset)} FROM ${others})`])
  return { rows, removed: 'all', deleted, lost }
}

/** Writes what is known of keys that are gone, where rows can take keys away. */
export async function writeTombstones(
  context: StepContext,
  session: Session,
  dataset: Silver,
  tombstones: Tombstones | undefined,
): Promise<Record<string, TableOutput>> {
  if (!tombstones) return {}
  const { rows, removed } = tombstones
  const name = tombstonesOf(dataset)
  const columns = tombstoneColumns(dataset)
  const work = { name, columns, partitions: [], rows, removed }
  const { output } = await writeTable(context, session, work)
  return { [name]: output }
}
