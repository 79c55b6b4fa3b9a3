import type { Check } from './check.js'
import type { AnyDataset, Silver } from './dataset.js'
import { datasetsIn, type Sql } from './sql.js'

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

/** Datasets that a dataset's checks look into. They come first, but their rows are none of its rows. */
export function checkedAgainst(dataset: AnyDataset): AnyDataset[] {
  if (dataset.tier === 'bronze') return []
  const found = dataset.checks.flatMap((check: Check) => {
    if (check.check === 'references') return [check.to]
    return check.check === 'sql' ? datasetsIn(check.query) : []
  })
  return [...new Set<AnyDataset>(found)].filter((other) => other !== dataset)
}

/** The datasets that a silver dataset looks something up in. */
export function lookupsOf(dataset: Silver<any>): AnyDataset[] {
  const pieces: readonly (string | Sql)[] = [
    ...Object.values(dataset.select),
    ...dataset.rules.map((rule) => rule.condition),
    ...(dataset.deleteWhen ? [dataset.deleteWhen] : []),
  ]
  const found = pieces.flatMap((piece) => (typeof piece === 'string' ? [] : datasetsIn(piece)))
  return [...new Set(found)].filter((input) => !dataset.from.includes(input))
}
