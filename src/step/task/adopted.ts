import { fullName } from '../../define/dataset.js'
import type { Check, Gold, Silver } from '../../define/model.js'
import { MoraineError } from '../../errors.js'
import type { TableVersion } from '../../iceberg/version.js'
import type { Adopted, TableState } from '../../log/commit.js'
import { adoptedText } from '../../plan/decide.js'
import { holdOn } from '../checks.js'
import { type StepContext, withSession } from '../context.js'
import { tableFiles } from '../table-files.js'

/** What a step says of rows that other engines have changed since the last one. */
interface CheckedRows {
  state: Pick<TableState, 'adopted'>
  notes: readonly string[]
  /** Why nothing may be built on them. */
  failure?: MoraineError
}

/**
 * Makes sure that what other engines have written leaves each key of a table once. Nobody looked
 * when they wrote it: only an engine can.
 *
 * @param before what the log says of their changes; nothing where all rows are computed.
 */
export async function checkAdopted(
  context: StepContext,
  dataset: Silver | Gold,
  table: TableVersion,
  before: Adopted | undefined,
): Promise<CheckedRows> {
  if (!before?.unchecked) return { state: {}, notes: [] }
  const { added, removed } = before
  const checked = {
    state: { adopted: { added, removed } },
    notes: [`${adoptedText(before)} so far`],
  }
  if (dataset.tier === 'gold' || dataset.key.length === 0) return checked
  const name = fullName(dataset)
  const unique: Check = {
    kind: 'check',
    check: 'unique',
    columns: dataset.key,
    severity: 'fail',
  }
  const [result] = await withSession(context, name, async (session) => {
    const files = tableFiles(context.storage, table, await table.plan())
    const relation = session.tables.scan(table.schema, files)
    return holdOn(relation, [unique], { session, counts: undefined, started: context.started })
  })
  if (result?.passed) return checked
  const failure = new MoraineError(
    'quality',
    `${name}: other engines have written rows with keys that are there already: ${result?.message}`,
    {
      place: dataset.place,
      hint: `Have them delete the rows that are too many, and run again. To compute the table without their changes: moraine run ${name} --full --allow-loss`,
    },
  )
  return { ...checked, failure }
}
