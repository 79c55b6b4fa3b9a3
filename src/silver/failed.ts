import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { countOf } from '../define/thousands.js'
import type { Relation, Session } from '../engine/engine.js'
import type { MoraineError } from '../errors.js'
import { notPublished } from '../step/checks.js'
import type { StepContext } from '../step/context.js'
import type { FailedRows } from '../step/task/output.js'
import { countReasons, type Tally } from './validate.js'

/** Rows that break a check of severity `fail`: they keep the step from being published. */
export async function failedRows(
  session: Session,
  flagged: Relation,
  { failed }: Pick<Tally, 'failed'>,
): Promise<FailedRows | undefined> {
  if (failed === 0) return undefined
  const reasons = await countReasons(session, flagged, '_failures')
  const [example] = await session.rows(
    `SELECT _batch, _source_file, _source_line FROM ${flagged.sql} WHERE _failures IS NOT NULL ORDER BY _batch, _source_file, _source_line LIMIT 1`,
  )
  if (!example?._source_file) return { reasons }
  const { _batch, _source_file, _source_line } = example
  const [batch, file, line] = [_batch, _source_file, _source_line].map(String)
  return { reasons, first: { batch, file, line } as Required<FailedRows>['first'] }
}

/** What to say of them. */
export function failureOf(
  context: Pick<StepContext, 'run'>,
  dataset: Silver,
  { reasons, first }: FailedRows,
): MoraineError {
  const said = reasons.map(({ reason, rows }) => `${reason} (${countOf(rows, 'row')})`).join('; ')
  const where = first ? ` First at ${first.file}:${first.line}.` : ''
  return notPublished(
    context,
    fullName(dataset),
    `a check with severity 'fail' failed: ${said}.${where}`,
    dataset.place,
  )
}
