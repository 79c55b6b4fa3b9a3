/** What a dataset's rows depend on: a hash of each part of its definition, by the part's name. */
export type Definition = Readonly<Record<string, string>>

/** Where a table stands after a commit. */
export interface TableState {
  /** Path of the Iceberg metadata file, relative to the lake's root. */
  metadata: string
  /** SHA-256 of that file, in hex; earlier versions of Moraine did not note it. */
  sha256?: string
  /** The definition that made the table. */
  definition: Definition
  /**
   * Of columns that silver computes otherwise than by taking one of the same name: a hash of how,
   * and one of all else that is said of the column. Absent where nobody noted it.
   */
  computed?: Readonly<Record<string, string>>
  rows: number
  /** Bytes of all data files. */
  bytes: number
  files: number
  /** Why all of its rows must be computed anew, where they must. */
  rebuild?: string
  /** For silver tables: what became of all rows that were ever read into this table. */
  counts?: RowCounts
  /** For silver tables: the columns that its inputs had, in lower case. */
  inputColumns?: readonly string[]
  /** Earlier versions, newest first, that have the same rows in other files. */
  sameRowsAs?: readonly string[]
  /**
   * For gold tables that are kept up to date by parts: the inputs whose rows decide which parts.
   */
  drivingInputs?: readonly string[]
  /**
   * For gold tables: those of `driving` whose rows may go without that parts go which were made of
   * them.
   */
  expiringInputs?: readonly string[]
  /** For gold tables that are kept up to date by parts: the column that says which a row is of. */
  partColumn?: string
  /** What other engines have changed of its rows since all of them were computed. */
  adopted?: Adopted
  /**
   * Where rows expire: the column that says how old they are, from when the oldest is that is
   * there, before which time rows have gone, and the same of columns that said it earlier.
   */
  retention?:
    | {
        column: string
        oldest?: string
        expiredBefore?: string
        earlier?: readonly { column: string; expiredBefore: string }[]
      }
    | undefined
}

/** Changes of other engines to rows of a table, as far as its manifests tell. */
export interface Adopted {
  /** Rows that they have added; those that they have written again with others count as well. */
  added: number
  /** Rows that they have deleted, or written again. */
  removed: number
  /** No run has checked the table's keys since. */
  unchecked?: boolean
  /** For gold that is kept up to date by parts: which parts they may have changed. */
  parts?: readonly PartRange[]
}

/**
 * What the files that somebody changed hold in the column of parts: bounds as Iceberg has them
 * (spec, Appendix D), in base64.
 */
export interface PartRange {
  low?: string
  high?: string
  /** There may be rows without a value. */
  nulls?: true
  /** There may be any value. */
  any?: true
}

/**
 * Every row in is in exactly one of the others: in = kept + discarded + superseded + deleted +
 * expired + forgotten. Where other engines have changed rows, in + added = … + removed ({@link
 * Adopted}).
 */
export interface RowCounts {
  in: number
  kept: number
  discarded: number
  superseded: number
  /**
   * Rows that say that their key is gone, and are the newest of it. Only where `deleteWhen` is set.
   */
  deleted?: number
  /** Rows that were kept, and have expired since: they were older than `keep` allows. */
  expired?: number
  /** Rows that were kept or discarded, and were removed by `moraine forget` since. */
  forgotten?: number
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
  /** SHA-256 of the manifest, in hex; earlier versions of Moraine did not note it. */
  sha256?: string
  /** Where the archive says of which files it was made, and the SHA-256 of that. */
  archived?: { path: string; sha256: string }
  rows: number
  bytes: number
  /** Some of its files take the place of earlier versions of the same files. */
  replaces?: boolean
  /** It was discarded: how many rows it had. Its manifest names no data any more. */
  discarded?: number
  /** Rows that `moraine forget` has removed from it: nothing may read it again from elsewhere. */
  forgotten?: number
  /**
   * Objects that could not be read, and whose place it holds; what became of them, the quarantine
   * of its dataset says.
   */
  quarantined?: number
  /**
   * It holds all rows of its source: those of earlier batches are not there any more, or have come
   * again.
   */
  fullExtract?: boolean
  /**
   * Names that are together in rows of it and would be one column, and which of equal ones they
   * are; present where any fall together.
   */
  collidingNames?: readonly (readonly [name: string, nth: number])[]
}

/** How far a dataset has read its inputs: batch numbers for bronze, metadata paths for tables. */
export type Offsets = Readonly<Record<string, number | string>>

/**
 * A dataset that is stored as a query: its rows are those that the query gives over the tables of
 * the same state.
 */
export interface ViewState {
  /** One SELECT over tables of the lake. */
  sql: string
  columns: readonly { name: string; type: string }[]
  definition: Definition
}

/**
 * A namespace of tables that other engines keep; its name is the key, levels with U+001F between
 * them.
 */
export interface NamespaceState {
  properties: Readonly<Record<string, string>>
}

/**
 * A table or a view that other engines keep: Moraine knows where it stands, and does not build it.
 */
export interface ExternalState {
  kind: 'table' | 'view'
  /** Path of its metadata file, relative to the lake's root. */
  metadata: string
  /** SHA-256 of that file, in hex. */
  sha256: string
}

/**
 * What the lake holds for other engines. Keys have U+001F between levels of namespaces, and before
 * the name.
 */
export interface ExternalChanges {
  namespaces?: Record<string, NamespaceState | null>
  relations?: Record<string, ExternalState | null>
}

/** All that the lake holds for other engines. */
export interface External {
  namespaces: Readonly<Record<string, NamespaceState>>
  relations: Readonly<Record<string, ExternalState>>
}

/** A request that was carried out. */
export interface SeenRequest {
  commit: number
  /** When that was (ISO). */
  at: string
  /** Of what it was, in hex. */
  sha256: string
}

/** What a commit changes; `null` says that something is no longer part of the lake. */
export interface Changes {
  tables?: Record<string, TableState | null>
  views?: Record<string, ViewState | null>
  batches?: BatchPointer[]
  /**
   * Batches of a dataset beyond this number are no longer part of the lake: rollbacks cut, and
   * drops.
   */
  cut?: Record<string, number>
  /**
   * Batches of a dataset up to this number are no longer part of the lake, as it keeps them only
   * for so long.
   */
  expire?: Record<string, number>
  /** Datasets that got another name, new names by old ones. */
  renamed?: Record<string, string | null>
  /** Commits before this one can't be seen any more: vacuum removes what only they refer to. */
  horizon?: number
  /**
   * Vacuum may remove files that were last modified before this time and that no commit so far
   * leads to (ISO, by the clock of the storage): later commits must not refer to them.
   */
  vacuumed?: string
  /**
   * Objects that were found damaged, by their paths: the manifest of a batch with that of the one
   * which has its rows now; all others with
   * `null`. A rollback to a commit that leads to them brings back what took their place, or is
   * refused.
   */
  repaired?: Record<string, string | null>
  /** The commit whose state this one brings back. Such a commit shares its base with no other. */
  rollback?: number
  offsets?: Record<string, Offsets | null>
  /** What a source has delivered so far; its meaning is the source's own. */
  watermarks?: Record<string, unknown>
  /** What other engines keep here. */
  external?: ExternalChanges
  /** Datasets of a branch that are read from elsewhere than on main, or are not any more. */
  ownSources?: Record<string, OwnSourceState | null>
  /** Branches that have a name: their ids by it; only main has names. */
  branches?: Record<string, string | null>
  /** The request that asked for it: by its key, the SHA-256 of what it was, in hex. */
  requests?: Record<string, string>
  /** Rows of a person were removed from all that the lake has of them. */
  forgotten?: Forgotten
}

/**
 * What a commit says of rows that are forgotten: never whose they were, nor anything made of that.
 */
export interface Forgotten {
  /** Made at random. */
  id: string
  /** Rows that this commit removed, by tables and bronze datasets. */
  rows?: Readonly<Record<string, number>>
  /** What held them is gone as well: earlier states, their files, and records. */
  done?: true
}

/** That rows were forgotten, for who asks later. */
export interface Receipt {
  /** The commit that removed them; states before it can't come back. */
  commit: number
  at: string
  author: string
  rows: Readonly<Record<string, number>>
  /** The commit that said that nothing is left, once there is one. */
  done?: { commit: number; at: string }
}

/**
 * That rows of a dataset are not those of its source on main: such a branch is never published.
 */
export interface OwnSourceState {
  /** Where they come from, in words. */
  from: string
  /** How many are read at most, where they are the first of its source. */
  sample?: number
  /** Of what they are read from, in hex: from something else the dataset begins anew. */
  sha256: string
}

/** Who made a commit, in which run, and why. */
export interface CommitInfo {
  author: string
  run: string | null
  message: string
}

/**
 * What a program must know to work with a commit that uses a feature: see
 * docs/adr/0070-features-of-the-log.md.
 */
export interface FeatureUse {
  /** The first version of Moraine that knows it. */
  since: string
  /**
   * What a program that does not know it can't do: read what has it, write to the lake, or nothing
   * less.
   */
  needed: 'read' | 'write' | 'none'
  /** What it brought: `changes.tables.*.sha256`. */
  fields: readonly string[]
}

/** When a dataset was first built by a definition, after another one. */
export interface MadeBy {
  /** The definition, as a hash. */
  hash: string
  commit: number
  time: string
  author: string
  program?: string
}

/** Features by their names. */
export type FeatureUses = Readonly<Record<string, FeatureUse>>

/** One entry of the log, as it lies in storage. */
export interface Commit extends CommitInfo {
  /** 1: from before features were named. */
  format: 1 | 2
  /** The version of Moraine that made it. */
  program?: string
  /** The definition of the lake that its run had, as a hash; absent where no lake.ts was read. */
  definition?: string
  /** What it has beyond its format. */
  features?: FeatureUses
  /**
   * Of all bytes of the entry before this field, which is its last one; entries of format 1 have
   * none.
   */
  sha256?: string
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
  /** Datasets that are stored as queries, where there are some. */
  views?: Readonly<Record<string, ViewState>>
  batches: Readonly<Record<string, readonly BatchPointer[]>>
  offsets: Readonly<Record<string, Offsets>>
  watermarks: Readonly<Record<string, unknown>>
  /** What other engines keep here, where they do. */
  external?: External
  /** Datasets of a branch whose rows are others than main's, where there are some. */
  ownSources?: Readonly<Record<string, OwnSourceState>>
  /** Ids of branches by their names, where some have one. */
  branches?: Readonly<Record<string, string>>
  /** Requests that were carried out not long ago, by their keys: a second time nothing is done. */
  requests?: Readonly<Record<string, SeenRequest>>
  /** The last batch of each dataset that has expired, where some have. */
  expired?: Readonly<Record<string, number>>
  /**
   * New names of datasets by the names they had: tables that were made before may know the old
   * ones.
   */
  renamed?: Readonly<Record<string, string>>
  /** The oldest commit whose files are all there, where vacuum has removed older ones. */
  horizon?: number
  /** Files of before this time that no commit led to may be gone, where vacuum has removed some. */
  vacuumed?: string
  /** By which definitions datasets have been built, oldest first. */
  definitions?: Readonly<Record<string, readonly MadeBy[]>>
  /** Features that commits so far have used. */
  features?: FeatureUses
  /** Rows that were forgotten, by the ids of their receipts, where some were. */
  forgotten?: Readonly<Record<string, Receipt>>
}
