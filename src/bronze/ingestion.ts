import type { Bronze } from '../define/model.js'
import type { FilesSource, InboxSource, Source } from '../define/source.js'
import type { LakeState } from '../log/commit.js'
import type { Databases } from '../source/database/open.js'
import type { Batches } from '../step/batches.js'
import type { RunContext } from '../step/context.js'

/** A dataset and its source, while a run reads it. */
export interface Ingestion<S extends Source = Source> {
  readonly context: RunContext
  readonly dataset: Bronze
  readonly source: S
}

/** A dataset and its source, when somebody asks what that has which the lake has not. */
export interface Lookup<S extends Source = Source> {
  readonly dataset: Bronze
  readonly source: S
  readonly state: LakeState
  readonly batches: Batches
  readonly databases: Databases
}

export type FilesIngestion = Ingestion<FilesSource>
export type InboxIngestion = Ingestion<InboxSource>
export type FilesLookup = Lookup<FilesSource>
