import type { Warehouse } from '../../define/export/target.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset } from '../../define/model.js'
import type { DatabaseKind } from '../../define/source.js'
import { importPeer, type PeerName, peerNames } from '../../peers.js'
import { handsOver, isProjected } from '../options/aws.js'

/** Clients that functions load with the lake's storage, its queues and its secrets. */
const ALWAYS: readonly PeerName[] = [
  '@aws-sdk/client-s3',
  '@aws-sdk/client-sqs',
  '@aws-sdk/client-secrets-manager',
]

/** What only the function of the projection loads, and those that start a job of Glue. */
const PROJECTION = '@aws-sdk/client-glue'

/** Clients of databases. */
const OF_DATABASE: Readonly<Record<DatabaseKind | 'redshift', readonly PeerName[]>> = {
  postgres: ['pg', 'pg-copy-streams'],
  mysql: ['mysql2'],
  sqlserver: ['mssql'],
  redshift: ['pg'],
}

export interface NeededPeers {
  /** What is part of Moraine's own file. */
  inside: readonly PeerName[]
  /** What has a file of its own, with the names that it exports. */
  beside: ReadonlyMap<PeerName, readonly string[]>
  /** What functions are without. */
  without: readonly PeerName[]
}

/**
 * Which optional packages a lake's functions have. Clients of databases that are installed are
 * packed also where this lake uses none: the address of one may be known only in the function.
 *
 * @throws MoraineError of kind `usage` for one that is needed and not installed here.
 */
export async function neededPeers(lake: Lake): Promise<NeededPeers> {
  for (const name of ALWAYS) await importPeer(name)
  const used = new Set<string>([
    ...lake.datasets.flatMap(databaseOf),
    ...lake.exports.flatMap(targetOf),
  ])
  const beside = new Map<PeerName, readonly string[]>()
  if (isProjected(lake.deploy) || handsOver(lake.deploy))
    beside.set(PROJECTION, Object.keys(await importPeer(PROJECTION)))
  if (lake.oidc) beside.set('jose', Object.keys(await importPeer('jose')))
  for (const [kind, names] of Object.entries(OF_DATABASE))
    for (const name of names) {
      const found = importPeer(name)
      const exported = used.has(kind) ? await found : await found.catch(() => {})
      if (exported) beside.set(name, Object.keys(exported))
    }
  const without = peerNames.filter((name) => !ALWAYS.includes(name) && !beside.has(name))
  return { inside: ALWAYS, beside, without }
}

/** The kind of database that runs export to. */
function targetOf({ afterRuns, target: { kind } }: Warehouse) {
  return !afterRuns || kind === 'folder' || kind === 'duckdb' ? [] : [kind]
}

/** The kind of database that a dataset reads, or that feeds it. */
function databaseOf(dataset: AnyDataset): DatabaseKind[] {
  if (dataset.tier !== 'bronze') return []
  const source = dataset.from.kind === 'inbox' ? dataset.from.feed : dataset.from
  return source?.kind === 'database' ? [source.database] : []
}
