import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import type { Silver } from '../define/model.js'
import { nearest } from '../define/nearest.js'
import { quoteName } from '../define/sql/sql.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { named } from '../plan/graph.js'
import type { Limits } from '../query/limits.js'
import { queryRows } from '../query/query.js'
import { isForRule } from '../silver/discarded.js'
import type { Storage } from '../storage/storage.js'

/** The silver dataset that is meant. */
export function silverNamed(lake: Lake, name: string): Silver<any> {
  const wanted = name.replace(/^discarded\./i, 'silver.')
  const dataset = named(lake, wanted).find((d): d is Silver<any> => d.tier === 'silver')
  if (dataset) return dataset
  throw new MoraineError('usage', `'${wanted}' is not a silver dataset`, {
    hint: `Only silver discards rows: ${lake.datasets
      .filter((d) => d.tier === 'silver')
      .map((d) => d.name)
      .join(', ')}`,
  })
}

/** A lake as it was at one time. */
export interface At {
  storage: Storage
  state: LakeState
}

/**
 * Refuses the name of a rule or a column that the dataset does not have, where no reason begins so
 * either.
 */
export async function checkRule(
  { storage, state }: At,
  dataset: Silver<any>,
  rule: string,
  limits: Limits,
): Promise<void> {
  const known = [...dataset.rules.map(({ name }) => name), ...Object.keys(dataset.schema.shape)]
  if (known.some((name) => rule === name || rule.startsWith(`${name}:`))) return
  if (!state.tables[fullName(dataset)]) return
  const found = await queryRows(
    storage,
    state,
    `SELECT 1 FROM (SELECT unnest(reasons) AS reason FROM discarded.${quoteName(dataset.name)}) WHERE ${isForRule('reason', rule)} LIMIT 1`,
    { limits },
  )
  if (found.length > 0) return
  const similar = nearest(rule, known)
  throw new MoraineError(
    'usage',
    `${fullName(dataset)} has no rule or column '${rule}', and no row was discarded for it`,
    {
      hint: similar
        ? `Did you mean '${similar}'?`
        : `Its rules and columns are: ${known.join(', ')}`,
    },
  )
}

/** SQL: whether a reason is one of a rule or a column; of all where none is named. */
export const isFor = (rule: string | undefined) =>
  rule === undefined ? 'true' : isForRule('reason', rule)
