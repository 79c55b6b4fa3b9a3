import type { AnyDataset, Check, Silver, Sql } from './model.js'
import { datasetsIn, viewsIn } from './sql/sql.js'

/** The datasets that a dataset reads directly, each once: first the rows' origin, then look-ups. */
export function inputsOf(dataset: AnyDataset): AnyDataset[] {
  switch (dataset.tier) {
    case 'bronze':
      return []
    case 'silver':
      return [...new Set([...dataset.from, ...lookupsOf(dataset)])]
    case 'gold':
      return datasetsIn(dataset.query)
  }
}

/**
 * Datasets that a dataset's checks look into. They come first, but their rows are none of its rows.
 */
export function checkedAgainst(dataset: AnyDataset): AnyDataset[] {
  if (dataset.tier === 'bronze') return []
  const found = dataset.checks.flatMap((check: Check) => {
    if (check.check === 'references') return [check.to]
    return check.check === 'sql' ? datasetsIn(check.query) : []
  })
  return [...new Set<AnyDataset>(found)].filter((other) => other !== dataset)
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
export function lookupsOf(dataset: Silver<any>): AnyDataset[] {
  const found = sqlOf(dataset).flatMap(datasetsIn)
  return [...new Set(found)].filter((input) => !dataset.from.includes(input))
}
