import type { AnyDataset, AnyInput, Check, External, Silver, Sql } from './model.js'
import { datasetsIn, viewsIn } from './sql/sql.js'

/** What a dataset reads directly, each once: first the rows' origin, then look-ups. */
export function inputsOf(dataset: AnyInput): AnyInput[] {
  switch (dataset.tier) {
    case 'external':
    case 'bronze':
      return []
    case 'silver':
      return [...new Set([...dataset.from, ...lookupsOf(dataset)])]
    case 'gold':
      return datasetsIn(dataset.query)
  }
}

/** Tables of other engines that a dataset reads, by way of views too, or looks into to check. */
export function externalsOf(dataset: AnyDataset): External<any>[] {
  const all = [...inputsOf(dataset), ...checkedAgainst(dataset)]
  return [...new Set(all)].filter((input) => input.tier === 'external')
}

export const isBuilt = (input: AnyInput): input is AnyDataset => input.tier !== 'external'

/**
 * Datasets that a dataset's checks look into. They come first, but their rows are none of its rows.
 */
export function checkedAgainst(dataset: AnyDataset): AnyInput[] {
  if (dataset.tier === 'bronze') return []
  const found = dataset.checks.flatMap(lookedInto)
  return [...new Set(found)].filter((other) => other !== dataset)
}

/** Datasets that a check looks into, beside the one that it is a check of. */
export function lookedInto(check: Check): AnyInput[] {
  if (check.check === 'references') return [check.to]
  return check.check === 'sql' ? datasetsIn(check.query) : []
}

/**
 * The views that a dataset's SQL names: they are part of a lake whose tables do not read them, but
 * what they read.
 */
export function viewsOf(dataset: AnyDataset): AnyDataset[] {
  if (dataset.tier === 'bronze') return []
  const checks = dataset.checks.flatMap((check: Check) =>
    check.check === 'sql' ? [check.query] : [],
  )
  const own = dataset.tier === 'gold' ? [dataset.query] : sqlOf(dataset)
  return [...new Set([...own, ...checks].flatMap(viewsIn))]
}

function sqlOf(dataset: Silver<any>): Sql[] {
  const pieces: readonly (string | Sql)[] = [
    ...Object.values(dataset.select),
    ...dataset.rules.map((rule) => rule.condition),
    ...(dataset.deleteWhen ? [dataset.deleteWhen] : []),
  ]
  return pieces.flatMap((piece) => (typeof piece === 'string' ? [] : [piece]))
}

/** The datasets that a silver dataset looks something up in. */
export function lookupsOf(dataset: Silver<any>): AnyInput[] {
  const found = sqlOf(dataset).flatMap(datasetsIn)
  return [...new Set(found)].filter((input) => !dataset.from.includes(input))
}
