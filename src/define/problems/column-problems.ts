import { z } from 'zod'
import { ownValue } from '../../own-value.js'
import { checkName } from '../check.js'
import { fullName } from '../dataset.js'
import { secondsOf } from '../interval.js'
import type { AnyInput, Gold, Silver } from '../model.js'
import { nearest } from '../nearest.js'
import { lookupOf } from '../sql/lookup.js'
import { type Collector, icebergColumns, reservedColumns } from './collector.js'
import { isBroken } from './mistakes.js'

/** Columns that no input offers, where the inputs' columns are known without reading them. */
export function inputColumnProblems(dataset: Silver<any>, collect: Collector): void {
  for (const input of dataset.from) {
    const offered = knownColumns(input)
    if (offered) offeredProblems(dataset, input, offered, collect)
  }
}

/** Columns of a silver dataset that an input would have to offer, and does not. */
export function offeredProblems(
  dataset: Silver<any>,
  input: AnyInput,
  offered: readonly string[],
  collect: Collector,
): void {
  for (const name of Object.keys(dataset.schema.shape)) {
    if (icebergColumns.includes(name.toLowerCase())) continue
    if (!Object.hasOwn(dataset.select, name) && acceptsMissing(dataset.schema.shape[name])) continue
    const given = ownValue(dataset.select, name) ?? name
    const chosen = lookupOf(given)?.by ?? given
    if (typeof chosen !== 'string' || offered.some((c) => c.toLowerCase() === chosen.toLowerCase()))
      continue
    const similar = nearest(chosen, offered)
    collect.add(
      `column '${chosen}' is not in ${fullName(input)}`,
      chosen === name ? `${name}:` : `'${chosen}'`,
      similar
        ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
        : `The columns of ${fullName(input)} are: ${offered.join(', ')}`,
    )
  }
}

/** Whether a column may lack a value. */
export function acceptsMissing(schema: z.core.$ZodType | undefined): boolean {
  const accepts = (value: unknown) => z.safeParse(schema as z.core.$ZodType, value).success
  return schema !== undefined && (accepts(undefined) || accepts(null))
}

/** The columns a dataset is known to have by its definition alone. */
function knownColumns(dataset: AnyInput): readonly string[] | undefined {
  if (isBroken(dataset)) return undefined
  switch (dataset.tier) {
    case 'bronze':
      return dataset.from.kind === 'files' && dataset.from.hive
        ? undefined
        : dataset.from.columns && [...dataset.from.columns, ...reservedColumns]
    case 'silver':
      return [...Object.keys(dataset.schema.shape), '_loaded_at', '_batch']
    case 'gold':
    case 'external':
      return dataset.declared && Object.keys(dataset.declared)
  }
}

/** Checks of the whole table that can't be held. */
export function checkProblems(
  dataset: Silver<any> | Gold<any>,
  names: readonly string[] | undefined,
  collect: Collector,
): void {
  const said = dataset.checks.map(checkName)
  const twice = said.find((name, i) => said.indexOf(name) !== i)
  if (twice !== undefined) collect.add(`two checks are named '${twice}'`, twice)
  for (const check of dataset.checks) {
    const columns = 'columns' in check ? check.columns : []
    for (const column of columns)
      if (names && !names.includes(column)) collect.unknown(`check.${check.check}`, column, names)
    if (check.check === 'fresh' && secondsOf(check.within) === undefined)
      collect.add(
        `check.fresh: '${check.within}' is not a duration`,
        `'${check.within}'`,
        "Write it as '30m', '12h' or '2d'",
      )
    if (check.check === 'discarded' && !(check.max >= 0 && check.max <= 1))
      collect.add(
        'check.discarded: max must be a fraction from 0 to 1, or a percentage',
        'discarded(',
      )
    if (check.check === 'discarded' && dataset.tier === 'gold')
      collect.add(
        'check.discarded: gold datasets discard no rows',
        'discarded(',
        'Add it to a silver dataset',
      )
    if (
      check.check === 'row count' &&
      !((check.min ?? 0) <= (check.max ?? Number.POSITIVE_INFINITY))
    )
      collect.add('check.rowCount: min is greater than max', 'rowCount(')
    if (check.check !== 'references') continue
    const known = knownColumns(check.to)
    if (known && !known.includes(check.target))
      collect.add(
        `check.references: '${check.target}' is not a column of ${fullName(check.to)}`,
        `'${check.target}'`,
        `Its columns are: ${known.join(', ')}`,
      )
  }
}
