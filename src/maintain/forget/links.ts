import { fullName } from '../../define/dataset.js'
import { isBuilt } from '../../define/inputs.js'
import type { Lake } from '../../define/lake.js'
import type { Silver } from '../../define/model.js'
import { type ColumnType, sameType, typeName } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { isText } from '../../quality/grammar.js'
import { identifying, typeOf } from './asked.js'
import { refusal } from './refusal.js'

/** Rows of one dataset whose columns have values of another's rows are about the same person. */
export interface Link {
  dataset: Silver
  columns: readonly string[]
  /** Where the values are. */
  of: Silver
  /** As many. */
  targets: readonly string[]
}

const silverOf = ({ datasets }: Lake) =>
  datasets.filter((one): one is Silver => one.tier === 'silver')

/** Whether all rows of a dataset come from bronze. */
export const readsBronze = ({ from }: Silver) => from.every(({ tier }) => tier === 'bronze')

/**
 * Where values of rows are found again: in columns whose check says that they refer to one of the
 * dataset, whatever it is; and, of the dataset that was asked about, in columns of the same name
 * that are declared to identify rows. A key of several columns is one value, where all of them are
 * declared so.
 */
export function linksOf(lake: Lake, asked: Silver): Link[] {
  const { key } = asked
  const known = new Set(identifying(asked))
  return silverOf(lake).flatMap((dataset) => {
    const checked = dataset.checks.flatMap((check): Link[] => {
      if (check.check !== 'references' || check.to === dataset) return []
      const column = check.columns[0] as string
      return check.to.tier === 'silver'
        ? [{ dataset, columns: [column], of: check.to, targets: [check.target] }]
        : []
    })
    const all = dataset === asked ? [] : dataset.identifies.filter((column) => known.has(column))
    const isWhole = key.length > 1 && key.every((column) => all.includes(column))
    const alone = all.filter((column) => !(isWhole && key.includes(column)))
    const named = [...(isWhole ? [key] : []), ...alone.map((column) => [column])]
    return [
      // A part of a key that is told as a whole tells nothing.
      ...checked.filter(({ of, targets: [target = ''] }) => {
        return !(isWhole && of === asked && key.includes(target))
      }),
      ...named.map((columns): Link => ({ dataset, columns, of: asked, targets: columns })),
    ]
  })
}

/** Datasets whose rows links lead to, from the one that was asked about. */
export function reached(asked: Silver, links: readonly Link[]): Set<Silver> {
  const found = new Set([asked])
  for (const dataset of found)
    for (const link of links) if (link.of === dataset) found.add(link.dataset)
  return found
}

/**
 * Rows that are made of other tables go where those tables are without theirs.
 *
 * @throws MoraineError of kind `usage` for a dataset that is made of tables which stay as they are.
 */
export function refuseMadeOfOthers(asked: Silver, found: ReadonlySet<Silver>): void {
  for (const dataset of found) {
    if (readsBronze(dataset)) continue
    const input = dataset.from.find((one) => one.tier !== 'bronze' && !found.has(one as Silver))
    if (dataset.from.some(({ tier }) => tier === 'bronze'))
      throw refusal(
        `${fullName(dataset)} reads both bronze and tables, so its rows can't be looked into`,
        'Split it: a silver dataset that reads bronze, and one that is made of that and of the tables.',
      )
    if (dataset !== asked && !input) continue
    const [first = input] = dataset.from.filter(isBuilt).filter(({ tier }) => tier !== 'bronze')
    const name = fullName(dataset)
    throw new MoraineError(
      'usage',
      `${name} is made of ${first ? fullName(first) : 'another table'}, where the rows would stay`,
      {
        hint:
          dataset === asked
            ? 'Forget them in the dataset that reads bronze: what is made of it follows.'
            : `Declare which of its columns identify the rows there: identifies: ['…'], or a check that says what they refer to.`,
      },
    )
  }
}

/**
 * Values of other types are not compared: `042` may be the customer 42, or another.
 *
 * @throws MoraineError of kind `usage` for a column of another type than what it is followed from.
 */
export function refuseOtherTypes(links: readonly Link[], found: ReadonlySet<Silver>): void {
  const pairs = links.flatMap(({ dataset, columns, of, targets }) =>
    columns.map((column, i) => ({ dataset, column, of, target: targets[i] as string })),
  )
  for (const { dataset, column, of, target } of pairs) {
    if (!found.has(dataset) || !found.has(of)) continue
    const [own, theirs] = [typeOf(dataset, column), typeOf(of, target)]
    if (sameType(own, theirs) || (isText(own) && isText(theirs))) continue
    if (isWhole(own) && isWhole(theirs)) continue
    throw new MoraineError(
      'usage',
      `${fullName(dataset)}.${column} is ${typeName(own)}, and ${fullName(of)}.${target} is ${typeName(theirs)}: it can't be told which values are the same`,
      { hint: 'Give both columns one type in lake.ts, and run it. Nothing was changed.' },
    )
  }
}

const isWhole = ({ kind }: ColumnType) => kind === 'int' || kind === 'bigint'

/**
 * Silver datasets that links do not lead to, and that are not made of those that they lead to; and
 * bronze that none of the latter reads.
 */
export function unreached(
  lake: Lake,
  { batches }: Pick<LakeState, 'batches'>,
  found: ReadonlySet<Silver>,
): string[] {
  const bronze = new Set([...found].flatMap(({ from }) => from))
  const silver = silverOf(lake)
    .filter((one) => !found.has(one) && !one.from.some((input) => bronze.has(input)))
    .filter((one) => !one.from.some((input) => found.has(input as Silver)))
  const others = lake.datasets.filter(
    (one) => one.tier === 'bronze' && !bronze.has(one) && (batches[fullName(one)] ?? []).length > 0,
  )
  return [...others, ...silver].map(fullName)
}
