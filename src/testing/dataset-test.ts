import { callSite } from '../define/call-site.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, AnyInput, Gold, Row, Silver } from '../define/model.js'
import { isDataset, object, text, texts } from '../define/options/expected.js'
import {
  checked,
  checkedArguments,
  type Expected,
  needed,
  type OptionList,
} from '../define/options/options.js'
import { takeMistakes } from '../define/problems/mistakes.js'
import { DefinitionError, MoraineError, type SourceLocation } from '../errors.js'
import type { Difference } from './row-diff.js'

/** Rows of an input. */
export interface Given {
  dataset: AnyInput
  rows: readonly Readonly<Record<string, unknown>>[]
}

/** The input of a dataset, and the expected result. */
export interface Example<D extends AnyDataset = AnyDataset> {
  /** Rows of inputs; other inputs are empty. */
  given: readonly Given[]
  /** The rows of the result, in any order. Columns that no row names are not compared. */
  expect?: readonly Partial<Row<D>>[]
  /** For silver: the reasons of each discarded row, joined by `; `, in any order. */
  discarded?: readonly string[]
  /** The names of failed checks, in any order. Without it, checks are not evaluated. */
  broken?: readonly string[]
}

/** A named test of a dataset: `moraine test` finds those that a `.tests.ts` file exports. */
export interface DatasetTest {
  readonly kind: 'dataset test'
  readonly name: string
  readonly dataset: AnyDataset
  readonly place: SourceLocation | undefined
  /** Runs it; rejects with an error whose message shows what differs. */
  run(): Promise<void>
  /** Runs it and tells what differs. */
  compare(): Promise<Difference[]>
}

const tested: Expected = {
  is: 'a silver or gold dataset',
  fits: (value) => isDataset(value) && ['silver', 'gold'].includes((value as AnyInput).tier),
}

const rows: Expected = {
  is: 'a list of rows',
  fits: (value) => Array.isArray(value) && value.every(object.fits),
}

const exampleOptions: OptionList<Example> = {
  given: needed({
    is: 'a list of given(dataset, rows)',
    fits: (value) =>
      Array.isArray(value) &&
      value.every((item) => isDataset(item?.dataset) && rows.fits(item?.rows)),
    advise: () => "Write given: [given(orders, [{ id: '1' }])]",
  }),
  expect: rows,
  discarded: texts,
  broken: texts,
}

type Rows<D extends AnyInput> = readonly Partial<Row<D>>[]

/** Rows of one input; columns that are left out are NULL. */
export function given<D extends AnyInput>(dataset: D, rows: Rows<D>): Given {
  return { dataset, rows: rows as Given['rows'] }
}

/**
 * A unit test of a dataset: it is computed in memory from the rows that it is given.
 *
 * @example
 * export default [
 *   datasetTest('the newest version wins', orders, {
 *     given: [given(rawOrders, [{ id: '1', status: 'new' }, { id: '1', status: 'paid' }])],
 *     expect: [{ id: 1n, status: 'paid' }],
 *   }),
 * ]
 */
export function datasetTest<D extends Silver<any> | Gold<any>>(
  name: string,
  dataset: D,
  example: Example<D>,
): DatasetTest {
  const call = typeof name === 'string' ? `datasetTest('${name}')` : 'datasetTest(…)'
  checkedArguments(call, { name, dataset }, { name: text, dataset: tested })
  const good = checked<Example>(call, example, exampleOptions)
  const compare = async () => {
    const { compareDataset } = await import('./compare.js')
    return compareDataset(dataset, good)
  }
  const run = () => refuseDifferences(dataset, compare)
  return { kind: 'dataset test', name, dataset, place: callSite(), run, compare }
}

/**
 * Computes a dataset from given rows and compares the result, inside of a test of any runner.
 *
 * @throws MoraineError of kind `quality` whose message shows what differs.
 */
export async function expectDataset<D extends Silver<any> | Gold<any>>(
  dataset: D,
  example: Example<D>,
): Promise<void> {
  const test = datasetTest('', dataset, example)
  const mistakes = takeMistakes()
  if (mistakes.length > 0) throw new DefinitionError(mistakes, 'The test')
  await test.run()
}

async function refuseDifferences(
  dataset: AnyDataset,
  compare: () => Promise<Difference[]>,
): Promise<void> {
  const differences = await compare()
  if (differences.length === 0) return
  const shown = differences.map(({ what, text }) => `${what}\n${text}`).join('\n\n')
  throw new MoraineError('quality', `${fullName(dataset)} is not as expected\n\n${shown}`)
}
