import type { PlanStep } from '../../engine/plan-step.js'
import { MoraineError } from '../../errors.js'
import type { LogReader } from '../../log/reader.js'
import type { TableEstimate } from '../../query/estimate.js'
import { explainQuery } from '../../query/query.js'
import colors from '../output/colors.js'
import { count, plural, size, toJson } from '../output/format.js'
import { printable, show } from '../output/terminal.js'
import { explainedQuery } from './explained-sql.js'
import type { Costed } from './query-options.js'

interface Explained extends Costed {
  log: Pick<LogReader, 'entry'>
}

/** Shows how a query would run: what it reads, and its steps. */
export async function showPlan(
  sql: string,
  { storage, state, limits, json, parameters, log }: Explained,
): Promise<void> {
  const query = explainedQuery(sql)
  if (/^\s*analyze\b/i.test(query))
    throw new MoraineError('usage', 'EXPLAIN ANALYZE would run the query', {
      hint: 'Explain it without ANALYZE, or run it: moraine query --stats shows what it reads.',
    })
  const asked = { limits, log, ...(parameters ? { parameters } : {}) }
  const { estimate, plan } = await explainQuery(storage, state, query, asked)
  const { tables } = estimate
  if (json) {
    const reads = tables.map(({ name, bytes, files, total, chosenBy }) => ({
      ...{ name, bytes, files, total, chosenBy: [...new Set(chosenBy)] },
    }))
    show(`${toJson({ reads, plan: inJson(plan, tables) }, 2)}\n`)
    return
  }
  for (const line of [...tables.map(readLine), ...lines(plan, tables)]) show(`${line}\n`)
}

function readLine({ name, bytes, files, total, chosenBy }: TableEstimate): string {
  const by = [...new Set(chosenBy)].map((column) => printable(column)).join(', ')
  const chosen = by !== '' && files < total ? `, chosen by ${by}` : ''
  return `${printable(name)}: ${count(files)} of ${plural(total, 'file')}, ${size(bytes)}${chosen}`
}

/** The steps, the last first, each above those that it takes its rows from. */
function* lines(plan: PlanStep, tables: readonly TableEstimate[], depth = 0): Generator<string> {
  const { step, of, rows, inputs } = plan
  const what = [step, tableOf(plan, tables), step === 'read' && of !== '' ? 'where' : '', of]
  const text = what.filter(Boolean).join(' ')
  const expected = rows === undefined ? '' : colors.dim(`  about ${plural(rows, 'row')}`)
  if (depth === 0) yield ''
  yield `${'  '.repeat(depth)}${depth === 0 ? '' : '└ '}${printable(text)}${expected}`
  for (const input of inputs) yield* lines(input, tables, depth + 1)
}

/** The table that a step reads, where its columns tell it, and these. */
function tableOf({ step, of, columns }: PlanStep, tables: readonly TableEstimate[]): string {
  if (step !== 'read') return ''
  const compared = of.match(/\b[a-z_]\w*(?=\s*(?:[<>=!]|is\b|in\b))/gi) ?? []
  const used = [...(columns ?? []), ...compared].map((name) => name.toLowerCase())
  const has = (table: TableEstimate) =>
    used.every((name) => table.columns.some((one) => one.toLowerCase() === name))
  const found = tables.length === 1 ? tables : tables.filter(has)
  const name = found.length === 1 ? (found[0]?.name ?? '') : ''
  const list = columns && columns.length > 0 ? `(${columns.join(', ')})` : ''
  return `${name}${list}`
}

function inJson(plan: PlanStep, tables: readonly TableEstimate[]): object {
  const { step, of, rows, inputs } = plan
  const reads = tableOf(plan, tables)
  return {
    step,
    ...(reads === '' ? {} : { reads }),
    ...(of === '' ? {} : { of }),
    ...(rows === undefined ? {} : { rows }),
    ...(inputs.length === 0 ? {} : { inputs: inputs.map((input) => inJson(input, tables)) }),
  }
}
