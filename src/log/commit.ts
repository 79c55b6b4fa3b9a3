/** Where a table stands after a commit. */
export interface TableState {
  /** Path of the Iceberg metadata file, relative to the lake's root. */
  metadata: string
  /** Fingerprint of the definition that made the table. */
  definition: string
  rows: number
  /** Bytes of all data files. */
  bytes: number
  files: number
  /** For silver tables: what became of all rows that were ever read into this table. */
  counts?: RowCounts
}

/** Every row in is in exactly one of the others: in = kept + discarded + superseded. */
export interface RowCounts {
  in: number
  kept: number
  discarded: number
  superseded: number
}

/** One bronze batch, as the log points to it; its manifest says the rest. */
export interface BatchPointer {
  /** `bronze.orders`. */
  dataset: string
  /** Number within the dataset, from 1 up, without gaps. */
  number: number
  /** The batch's name, unique in the lake; sorts by number. */
  batch: string
  /** Path of the batch manifest. */
  manifest: string
  rows: number
  bytes: number
  /** Some of its files take the place of earlier versions of the same files. */
  replaces?: boolean
}

/** How far a dataset has read its inputs: batch numbers for bronze, metadata paths for tables. */
export type Offsets = Readonly<Record<string, number | string>>

/** What a commit changes. */
export interface Changes {
  tables?: Record<string, TableState>
  batches?: BatchPointer[]
  offsets?: Record<string, Offsets>
  /** What a source has delivered so far; its meaning is the source's own. */
  watermarks?: Record<string, unknown>
}

/** Who made a commit, in which run, and why. */
export interface CommitInfo {
  author: string
  run: string | null
  message: string
}

/** One entry of the log, as it lies in storage. */
export interface Commit extends CommitInfo {
  format: 1
  /** An id of its own, by which a writer knows its commit again. */
  id: string
  /** From 1 up, without gaps. */
  number: number
  /** ISO, UTC; never before the time of the commit before. */
  time: string
  /** SHA-256 of the commit before it, as it lies in storage; `null` for the first. */
  previous: string | null
  changes: Changes
}

/** The lake at one commit: all that the commits up to it add up to. */
export interface LakeState {
  /** Number of the last commit; 0 for an empty log. */
  number: number
  time: string | null
  /** SHA-256 of the last commit. */
  hash: string | null
  tables: Readonly<Record<string, TableState>>
  batches: Readonly<Record<string, readonly BatchPointer[]>>
  offsets: Readonly<Record<string, Offsets>>
  watermarks: Readonly<Record<string, unknown>>
}

export const emptyState: LakeState = {
  number: 0,
  time: null,
  hash: null,
  tables: {},
  batches: {},
  offsets: {},
  watermarks: {},
}

/** The state after one more commit. */
export function fold(state: LakeState, commit: Commit, hash: string): LakeState {
  const { tables, batches, offsets, watermarks } = commit.changes
  const grown = { ...state.batches }
  for (const batch of batches ?? []) grown[batch.dataset] = [...(grown[batch.dataset] ?? []), batch]
  return {
    number: commit.number,
    time: commit.time,
    hash,
    tables: { ...state.tables, ...tables },
    batches: grown,
    offsets: { ...state.offsets, ...offsets },
    watermarks: { ...state.watermarks, ...watermarks },
  }
}

/** The names of what a commit writes. Two commits that share one can't both build on one base. */
export function written(changes: Changes): Set<string> {
  return new Set([
    ...Object.keys(changes.tables ?? {}).map((name) => `table ${name}`),
    ...(changes.batches ?? []).map(({ dataset }) => `batches of ${dataset}`),
    ...Object.keys(changes.offsets ?? {}).map((name) => `offsets of ${name}`),
    ...Object.keys(changes.watermarks ?? {}).map((name) => `watermark of ${name}`),
  ])
}
