import type { PlanStep } from '../plan-step.js'

/** A node of the plan that DuckDB tells as JSON. */
interface PlanNode {
  name: string
  children: PlanNode[]
  extra_info: Readonly<Record<string, string | readonly string[]>>
}

/** A node in words, with the columns that it gives, where they are known. */
interface Told {
  step: PlanStep
  gives: readonly string[] | undefined
}

/**
 * The plan of a query in words, without what its nodes have beyond that: names of files and numbers
 * of the engine's own. What keeps rows as they are is left out.
 *
 * @param json what EXPLAIN gives in the format JSON.
 */
export function planSteps(json: string): PlanStep {
  const [root] = JSON.parse(json) as PlanNode[]
  if (!root) return { step: 'nothing', of: '', inputs: [] }
  return told(root).step
}

function told(node: PlanNode): Told {
  const inputs = node.children.map(told)
  const [only] = inputs
  const from = inputs.length === 1 ? only?.gives : undefined
  const info = (name: string) => listed(node.extra_info[name]).map((text) => plain(text, from))
  const rows = Number(node.extra_info['Estimated Cardinality'] ?? Number.NaN)
  const all = inputs.map(({ step }) => step)
  const as = (step: string, of: readonly string[] = [], gives?: readonly string[]): Told => ({
    step: {
      step,
      of: of.join(', '),
      ...(step === 'read' ? { columns: info('Projections') } : {}),
      // Where nothing is known it says 0.
      ...(rows > 0 ? { rows } : {}),
      inputs: all,
    },
    gives,
  })
  const { name } = node
  if (name === 'PROJECTION') {
    const columns = info('Projections')
    const isSame = only !== undefined && columns.every((column, i) => column === from?.[i])
    return isSame ? only : as('select', columns, columns)
  }
  if (/^(READ_|PARQUET_SCAN|TABLE_SCAN|SEQ_SCAN)/.test(name))
    return as('read', conditions(info('Filters')), info('Projections'))
  if (/GROUP_BY$|AGGREGATE$/.test(name)) {
    const [groups, aggregates] = [info('Groups'), info('Aggregates')]
    const by = groups.length > 0 ? [`by ${groups.join(', ')}`] : []
    const values = aggregates.length > 0 ? aggregates : ['distinct rows']
    return as('aggregate', [[values.join(', '), ...by].join(' ')], [...groups, ...aggregates])
  }
  if (name === 'FILTER') return as('filter', conditions(info('Expression')), from)
  if (name === 'TOP_N')
    return as(`first ${info('Top').join()} rows`, [`by ${info('Order By').join(', ')}`], from)
  if (name === 'ORDER_BY') return as('sort', info('Order By'), from)
  if (/LIMIT/.test(name)) return as('limit', [], from)
  if (/JOIN/.test(name)) {
    const kind = info('Join Type').join().toLowerCase()
    return as(`${kind} join`, conditions(info('Conditions')))
  }
  if (/WINDOW/.test(name)) {
    const values = info('Projections')
    return as('window', values, from && [...from, ...values])
  }
  return as(words[name] ?? name.toLowerCase().replaceAll('_', ' '))
}

const words: Readonly<Record<string, string>> = {
  CROSS_PRODUCT: 'every row with every row',
  EMPTY_RESULT: 'no rows: a condition is never true',
  COLUMN_DATA_SCAN: 'values that are known already',
  DUMMY_SCAN: 'one row of values',
  CTE: 'with',
  CTE_SCAN: 'rows of with',
}

const conditions = (all: readonly string[]): string[] => (all.length > 0 ? [all.join(' and ')] : [])

function listed(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined || value === '') return []
  return typeof value === 'string' ? [value] : value
}

/** How values are packed for a while. */
const PACKED = /^__internal_(?:de)?compress_\w+\((.*?)(?:, \d+)?\)$/s

/** An expression with the columns that it means, rather than their numbers. */
function plain(text: string, from: readonly string[] | undefined): string {
  const own = PACKED.exec(text)?.[1] ?? text
  return own
    .replace(/#(\d+)/g, (all, number: string) => from?.[Number(number)] ?? all)
    .replaceAll(/\bmemory\.\w+\.(?=\w+\.)|\bmemory\./g, '')
    .replaceAll('count_star()', 'count(*)')
}
