import { contentsOf, without } from '../iceberg/difference.js'
import { Table } from '../iceberg/table.js'
import { expiryOf } from '../log/branch/expiry.js'
import type { Moved } from '../log/branch/moved.js'
import { openNamed } from '../log/branch/named.js'
import { isDataset, namesOf, ownChanges, statesOf } from '../log/branch/own-changes.js'
import { ownSourcesIn } from '../log/branch/own-sources.js'
import type { CommitLog } from '../log/log.js'
import type { Storage } from '../storage/storage.js'
import { toPublishNow } from './to-publish.js'

/** What is on a branch beside what it shares with main. */
export interface BranchContents {
  branch: string
  id: string
  /** The commit of main that it starts at. */
  at: number
  /** Commits of its own. */
  commits: number
  /** Commits of main since. */
  behind: number
  created?: string
  expires?: string
  /** Datasets that it changes: their rows before and after, `null` where there is none. */
  datasets: { dataset: string; before: number | null; after: number | null }[]
  /** Files that only it leads to. */
  files: number
  bytes: number
  /** Datasets that it reads from elsewhere than main, where there are some: their rows here. */
  ownSources?: { dataset: string; from: string; rows: number }[]
  /** What main has changed since of what it depends on. */
  moved: Moved[]
}

/** Reads the manifests of the tables that a branch changes, and no data. */
export async function contentsOfBranch(
  main: CommitLog,
  storage: Storage,
  name: string,
): Promise<BranchContents> {
  const states = await statesOf(await openNamed(main, name))
  const now = await main.head()
  const { branch, fork, head } = states
  const own = ownChanges(states)
  const rows = (of: typeof fork, dataset: string) => of.tables[dataset]?.rows ?? null
  // Vacuum may have removed what main alone had then.
  const shared = fork.number < (now.horizon ?? 0) ? now : fork
  let [files, bytes] = [0, 0]
  for (const [table, state] of Object.entries(own.tables)) {
    if (!state) continue
    const after = await contentsOf(await Table.load(storage, state))
    const earlier = shared.tables[table]
    const before = earlier && (await contentsOf(await Table.load(storage, earlier)))
    const fresh = before ? without(after, before) : [...after.entries.values()]
    files += fresh.length
    bytes += fresh.reduce((sum, { entry }) => sum + entry.file.bytes, 0)
  }
  const ownSources = Object.entries(ownSourcesIn(head)).map(([dataset, { from }]) => {
    const rowsOf = (head.batches[dataset] ?? []).reduce((sum, batch) => sum + batch.rows, 0)
    return { dataset, from, rows: rowsOf }
  })
  const expires = expiryOf(branch, head)?.toISOString()
  const { created } = branch.forked ?? {}
  return {
    branch: name,
    id: branch.branch,
    at: fork.number,
    commits: head.number - fork.number,
    // The first of them gave the branch its name.
    behind: Math.max(0, now.number - fork.number - 1),
    ...(created ? { created } : {}),
    ...(expires ? { expires } : {}),
    ...(ownSources.length > 0 ? { ownSources } : {}),
    datasets: namesOf(own)
      .filter(isDataset)
      .map((dataset) => ({ dataset, before: rows(fork, dataset), after: rows(head, dataset) })),
    files,
    bytes,
    moved: (await toPublishNow({ log: main, storage }, name, states, now)).moved,
  }
}
