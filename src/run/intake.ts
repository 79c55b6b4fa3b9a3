import type { Bronze } from '../define/dataset.js'
import type { LakeState } from '../log/commit.js'
import type { Discovery } from '../plan/plan.js'
import type { Databases } from '../source/connect/open.js'
import type { Window } from '../source/connect/reader.js'
import type { Batches } from './batches.js'
import type { RunContext } from './context.js'
import { discoverRows } from './intake-database.js'
import { discoverFiles } from './intake-files.js'
import { discoverFull } from './intake-full.js'
import { discoverAnswers } from './intake-http.js'
import { discoverDropped } from './intake-inbox.js'
import { discoverLanded } from './intake-landing.js'
import { discoverLogs } from './intake-logs.js'
import type { Held } from './shrink.js'

/** What an intake did. */
export interface Intake {
  /** After the last of its commits. */
  state: LakeState
  /** Numbers of its commits. */
  commits: number[]
  rows: number
  broken: number
  files: number
  bytes: number
  notes: string[]
  /** What may be wrong with what the source gave. */
  warnings?: readonly string[]
  /** It is not part of the lake: it has far fewer rows than the extract before. */
  held?: Held
}

/** What a source offers beside what the lake has. */
export interface Offer {
  discovery: Discovery
  /** Takes it in and commits it. */
  take(context: RunContext, base: LakeState): Promise<Intake>
}

/** What is asked of sources beyond what they have that is new. */
interface Wanted {
  /** Rows of databases whose cursor lies there are read again. */
  backfill?: Window | undefined
  /** Whether databases that feed inboxes are asked for rows. */
  feeds?: boolean | undefined
  /** All files are read again. */
  reread?: boolean
}

/** Looks at a source without reading its rows; of an inbox also at the database that feeds it, where that is wanted. */
export function discover(
  dataset: Bronze,
  state: LakeState,
  batches: Batches,
  databases: Databases,
  { backfill, feeds = true, reread = false }: Wanted = {},
): Promise<Offer> {
  const { from } = dataset
  switch (from.kind) {
    case 'files':
      if (from.follow) return discoverLogs(dataset, from, state, batches)
      return from.full
        ? discoverFull(dataset, from, from.full, state)
        : discoverFiles(dataset, from, state, batches, reread)
    case 'ingest':
      return discoverLanded(dataset, from, batches)
    case 'inbox':
      return discoverDropped(
        dataset,
        feeds ? from : { ...from, feed: undefined },
        state,
        batches,
        databases,
      )
    case 'http':
      return discoverAnswers(dataset, from, state)
    default:
      return discoverRows(dataset, from, state, databases, backfill)
  }
}
