import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import { countOf, thousands } from '../define/thousands.js'
import type { LakeState } from '../log/commit.js'
import type { RunContext } from '../step/context.js'
import type { StepResult } from '../step/events.js'
import type { Held } from './held.js'
import type { Intake } from './offer.js'

/**
 * The share of the rows of a full extract that may be gone from the next one, where its source does
 * not say otherwise.
 */
const MAX_SHRINK = 0.5
/** Rows that may be gone whatever share they are: small tables change by hand. */
export const FEW = 20

/**
 * What is known of an extract that was held back: it stands beside how far the source was read, and
 * goes with the next extract that is taken.
 */
export function heldOf(state: Pick<LakeState, 'watermarks'>, name: string): Held | undefined {
  return (state.watermarks[name] as { held?: Held } | undefined)?.held
}

export function isShrunk(rows: number, before: number, maxShrink = MAX_SHRINK): boolean {
  const gone = before - rows
  return gone >= FEW && gone > before * maxShrink
}

/** What there is of a full extract, and what there was. */
interface Extract {
  rows: number
  before: number
  maxShrink: number | undefined
  /** What is known to be held back, where how far the source was read has been noted anew since. */
  known?: Held | undefined
  /** What tells the extract again, where it need not be read to know it. */
  more?: object
}

/** Rows of the full extract that a dataset consists of now; `undefined` when it does not. */
export function rowsOfFull(state: LakeState, name: string): number | undefined {
  const last = state.batches[name]?.findLast(({ discarded }) => discarded === undefined)
  return last?.fullExtract ? last.rows : undefined
}

/**
 * Holds a full extract back that has far fewer rows than the one before, unless somebody accepts
 * that; `undefined` where it may pass. What was accepted is what was held back: an extract that has
 * shrunk again since then is not.
 */
export async function holdBack(
  context: RunContext,
  done: Intake,
  dataset: Bronze,
  { rows, before, maxShrink, more, known = heldOf(done.state, fullName(dataset)) }: Extract,
): Promise<Intake | undefined> {
  const name = fullName(dataset)
  const accepted = context.acceptShrink.has(name)
  const least = accepted ? (known?.rows ?? 0) : before
  if (!isShrunk(rows, least, maxShrink)) return undefined
  const held: Held = { rows, before, since: known?.since ?? context.started.toISOString(), ...more }
  const result = { ...done, held }
  if (JSON.stringify(heldOf(done.state, name)) === JSON.stringify(held)) return result
  const watermark = { ...(done.state.watermarks[name] as object | undefined), held }
  const message = `hold back ${countOf(rows, 'row')} of ${name}`
  const info = { author: context.author, run: context.run, message }
  const state = await context.log.commit(done.state, { watermarks: { [name]: watermark } }, info)
  return { ...result, state, commits: [...done.commits, state.number] }
}

/** `held back: 100 rows instead of 2,350`. */
export function heldText({ rows, before }: Pick<Held, 'rows' | 'before'>): string {
  return `held back: ${thousands(rows)} ${rows === 1 ? 'row' : 'rows'} instead of ${thousands(before)}`
}

export const acceptCommand = (name: string) => `moraine run --accept-shrink ${name}`

/** What a step says whose extract was held back. */
export function heldResult(name: string, held: Held): Partial<StepResult> {
  const { rows, before } = held
  const share = Math.round((1 - rows / before) * 100)
  return {
    outcome: 'held',
    reason: heldText(held),
    held: { rows, before },
    error: {
      kind: 'held',
      message: `its source has ${thousands(rows)} ${rows === 1 ? 'row' : 'rows'}, down from ${thousands(before)}: ${share} % fewer. They are held back, and the previous rows are kept`,
      hint: `If this is expected: ${acceptCommand(name)} (maxShrink of the source sets the limit)`,
    },
  }
}
