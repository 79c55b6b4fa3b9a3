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

/** The datasets that a silver dataset looks something up in. */
export function lookupsOf(dataset: Silver<any>): AnyDataset[] {
  const pieces: readonly (string | Sql)[] = [
    ...Object.values(dataset.select),
    ...dataset.rules.map((rule) => rule.condition),
  ]
  const found = pieces.flatMap((piece) => (typeof piece === 'string' ? [] : datasetsIn(piece)))
  return [...new Set(found)].filter((input) => !dataset.from.includes(input))
}
