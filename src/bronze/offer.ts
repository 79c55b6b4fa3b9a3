import type { LakeState } from '../log/commit.js'
import type { QuarantinedObject } from '../log/quarantined.js'
import type { Discovery } from '../plan/decision.js'
import type { RunContext } from '../step/context.js'
import type { Held } from './held.js'

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
  /** Objects that could not be read, and were set aside. */
  setAside?: readonly QuarantinedObject[]
}

/** What a source offers beside what the lake has. */
export interface Offer {
  discovery: Discovery
  /** Takes it in and commits it. */
  ingest(context: RunContext, base: LakeState): Promise<Intake>
  /** Clears away what was taken in before, where a process ended before it did so. */
  tidy?(): Promise<void>
}
