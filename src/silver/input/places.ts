import { readingOfDataset } from '../../bronze/quarantine/blame.js'
import { haveSharedLines } from '../../bronze/shared-lines.js'
import { fullName } from '../../define/dataset.js'
import type { Bronze, Silver } from '../../define/model.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { BuildDecision } from '../../plan/decision.js'
import type { OriginFile } from '../../step/batches.js'
import { batchesRead } from '../../step/task/split.js'
import { havePlaces, ROW_ID, shareLines } from '../keys.js'
import type { InputContext } from './types.js'

/**
 * Whether no two of the rows that a step reads have the same place: the source is one that has no
 * such rows, and was one when they were read; or all files that were read of it keep a row a line.
 * Parts of a step go by the source, as they have to agree: where it was another one, there are
 * none.
 */
export async function areRowsPlaced(
  context: InputContext,
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
): Promise<boolean> {
  const { relations, part } = context
  if (havePlaces(dataset) && !mayShareLines(context, dataset))
    return (
      part !== undefined ||
      !(await haveSharedLines(session, await readOtherwise(context, dataset, decision)))
    )
  const [only, ...others] = dataset.from
  if (part || only?.tier !== 'bronze' || others.length > 0) return false
  const files = await relations.bronzeFiles?.(batchesRead(decision, relations.view, only), false)
  return files?.every(({ firstLine }) => firstLine !== undefined) ?? false
}

/**
 * Files of a source whose rows have lines of their own now, and that were read when it was, or may
 * have been, another one: as documents, of which a line has several rows.
 */
export async function readOtherwise(
  { relations }: InputContext,
  dataset: Silver,
  decision: BuildDecision,
): Promise<readonly OriginFile[]> {
  const [from] = dataset.from
  if (!havePlaces(dataset) || from?.tier !== 'bronze') return []
  const batches = batchesRead(decision, relations.view, from)
  const files = (await relations.bronzeFiles?.(batches, false)) ?? []
  const now = readingOfDataset(from as Bronze)
  return files.filter(({ firstLine, reading }) => firstLine === undefined && reading !== now)
}

/**
 * Whether rows that are read may stand on one line: so they may where a branch has a source of its
 * own.
 */
export function mayShareLines({ relations }: InputContext, dataset: Silver): boolean {
  const { ownSources = {} } = relations.view
  return (
    shareLines(dataset) || dataset.from.some((input) => Object.hasOwn(ownSources, fullName(input)))
  )
}

/**
 * Proves that the rows which were read are those that were chosen: rows of JSON and XML may share a
 * line, which then says nothing of which of them was discarded.
 *
 * @throws MoraineError of kind `usage` otherwise.
 */
export async function proveSame(
  session: Session,
  dataset: Silver,
  rows: Relation,
  read: { rows: number },
): Promise<void> {
  if (await areSame(session, rows, read)) return
  const name = fullName(dataset)
  throw new MoraineError(
    'usage',
    `the discarded rows of ${name} cannot be replayed on their own: they share lines of their files with other rows`,
    {
      hint: `The lake is unchanged. moraine run ${name} --full rebuilds it from all of its rows, including the discarded ones.`,
    },
  )
}

/** Whether rows that were read are those that were chosen, each at a place of its own. */
export async function areSame(
  session: Session,
  { sql: rows }: Relation,
  read: { rows: number },
): Promise<boolean> {
  const chosen = await count(session, `SELECT count(*) AS n FROM ${rows}`)
  const places = `SELECT count(*) AS n FROM (SELECT DISTINCT ${ROW_ID} FROM ${rows})`
  return read.rows === chosen && chosen === (await count(session, places))
}
