import type { Gold, Silver } from '../define/model.js'
import type { OwnSources } from '../define/options/own-sources.js'
import type { Engine } from '../engine/engine.js'
import type { Portable } from '../gold/portable.js'
import type { TableState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import type { StepWorker, TryApart } from '../step/context.js'
import type { RunEvent } from '../step/events.js'
import type { JavaScript } from '../step/javascript.js'
import type { Replay } from '../step/task/task.js'
import type { Storage } from '../storage/storage.js'

export interface RunOptions {
  storage: Storage
  /** The log of that storage; a new one is made of it otherwise. */
  log?: CommitLog
  /** The name of the branch whose log that is; `undefined` for main. */
  branch?: string
  engine: Engine
  /** Selectors as on the command line; all datasets without them. */
  select?: readonly string[]
  /** Read rows of databases with cursors from one value up to another again. */
  backfill?: { from: string; until: string }
  /** Build selected tables from all of their inputs again. */
  full?: boolean
  /**
   * Tables whose metadata are damaged, with what the log said before, at a version that can be
   * read: they are made from there, or as if there had been none before.
   */
  anew?: ReadonlyMap<string, TableState | undefined>
  /** Whether databases that feed inboxes are asked for rows; `true`. */
  feeds?: boolean
  /**
   * Build tables from all rows that there are, also where their inputs do not have all of them any
   * more.
   */
  allowLoss?: boolean
  /**
   * Datasets whose full extracts may have far fewer rows than before: what was held back of them is
   * taken.
   */
  acceptShrink?: readonly string[]
  /** Datasets whose files are read again, all of them, as their definition says now. */
  reread?: readonly string[]
  /** Ids of objects in quarantine that are tried again, however often they have failed. */
  retry?: readonly string[]
  /** Datasets that a branch reads from elsewhere than main, which keeps them apart from main's. */
  ownSources?: OwnSources | undefined
  /** Rows of each bronze input that silver reads at most, to try a definition out. */
  sample?: number
  /**
   * The engine is for this run alone: once sources are read, it can open nothing but the lake, and
   * is of no use for another one.
   */
  ownEngine?: boolean
  /** Judge discarded rows of a silver dataset again, rather than to read new ones. */
  replay?: Replay
  /**
   * Build also by a definition that another one has taken the place of since: this one is wanted
   * again.
   */
  acceptDefinition?: boolean
  /** Let columns change in ways that break what reads the tables. */
  allowBreaking?: boolean
  /** Milliseconds of work from which a step's result is kept for a run that has to go on; 500. */
  keepAfter?: number
  /**
   * Bytes of source files from which on values are kept rather than texts, where silver reads them
   * so; 1 MiB.
   */
  valuesFrom?: number
  /**
   * Bytes of a table's files up to which replaced rows have their files written again; beyond it
   * files in which few rows are replaced stay, with lists of deleted rows. 16 MiB.
   */
  rewriteUpTo?: number
  /** Bytes of a database's table that are read as one part; 128 MiB. */
  partBytes?: number
  /** Who runs the JavaScript of schemas; this thread when nobody is named. */
  javascript?: JavaScript
  /** Who carries steps of silver and gold out; this process when nobody is named. */
  worker?: StepWorker
  /**
   * Whether it carries the steps of a dataset out elsewhere than in this process and its engine:
   * those of silver then begin while other sources are still being read.
   */
  elsewhere?: ((dataset: Silver | Gold) => boolean) | undefined
  /** For which gold datasets SQL of another engine is written, which must give the same. */
  portable?: ((dataset: Gold) => Portable | undefined) | undefined
  /** Steps of silver and gold that are under way at the same time; one a processor. */
  stepsAtOnce?: number
  /** Reads objects at which processes ended; see {@link RunContext}. */
  tryApart?: TryApart
  /**
   * Datasets whose steps went on in this process when they should have ended: they are not built.
   * The run adds to them. For processes that live on.
   */
  leftBehind?: Set<string>
  signal?: AbortSignal
  author?: string
  onEvent?: (event: RunEvent) => void
  now?: () => Date
}
