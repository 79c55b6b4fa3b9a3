import { fullName } from '../define/dataset.js'
import { externalsOf, inputsOf, isBuilt } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { AnyDataset } from '../define/model.js'
import { nearest } from '../define/nearest.js'
import { MoraineError } from '../errors.js'

/** All datasets that a dataset needs, directly or not. */
function upstreamOf(dataset: AnyDataset): Set<AnyDataset> {
  const found = new Set<AnyDataset>()
  const visit = (current: AnyDataset) => {
    for (const input of inputsOf(current).filter(isBuilt)) {
      if (found.has(input)) continue
      found.add(input)
      visit(input)
    }
  }
  visit(dataset)
  return found
}

/** All datasets that need a dataset, directly or not. */
function downstreamOf(dataset: AnyDataset, lake: Lake): Set<AnyDataset> {
  return new Set(lake.datasets.filter((other) => upstreamOf(other).has(dataset)))
}

/**
 * The datasets that selectors name, inputs first; all of them without selectors. A selector is a
 * name (`orders`), a full name (`silver.orders`), a tier (`gold`) or `tag:NAME`; a `+` before it
 * adds everything upstream, one behind it everything downstream. `ml.scores+` means all that needs
 * a table of another engine.
 *
 * @throws MoraineError of kind `usage` for a selector that matches nothing.
 */
export function select(lake: Lake, selectors: readonly string[]): AnyDataset[] {
  if (selectors.length === 0) return [...lake.datasets]
  const chosen = new Set<AnyDataset>()
  for (const selector of selectors) {
    const match = /^(\+?)(.*?)(\+?)$/.exec(selector) as RegExpExecArray
    const reading = match[3] ? readersOf(lake, match[2] as string) : []
    for (const dataset of reading) chosen.add(dataset)
    for (const dataset of reading.length > 0 ? [] : named(lake, match[2] as string)) {
      chosen.add(dataset)
      if (match[1]) for (const input of upstreamOf(dataset)) chosen.add(input)
      if (match[3]) for (const reader of downstreamOf(dataset, lake)) chosen.add(reader)
    }
  }
  return lake.datasets.filter((dataset) => chosen.has(dataset))
}

/** The datasets that need a table of another engine, directly or not. */
function readersOf(lake: Lake, name: string): AnyDataset[] {
  const wanted = name.toLowerCase()
  const direct = lake.datasets.filter((dataset) =>
    externalsOf(dataset).some((table) => fullName(table).toLowerCase() === wanted),
  )
  return [...direct, ...direct.flatMap((dataset) => [...downstreamOf(dataset, lake)])]
}

function noTag(lake: Lake, tag: string): MoraineError {
  const tags = [...new Set(lake.datasets.flatMap(({ about }) => about.tags ?? []))]
  return new MoraineError('usage', `No dataset has the tag '${tag}'`, {
    hint:
      tags.length > 0
        ? `The tags are: ${tags.join(', ')}`
        : `Add it to datasets in lake.ts: tags: ['${tag}']`,
  })
}

/** The datasets of a name without `+`. */
export function named(lake: Lake, name: string): AnyDataset[] {
  const wanted = name.toLowerCase()
  const found = lake.datasets.filter((dataset) =>
    wanted.startsWith('tag:')
      ? dataset.about.tags?.some((tag) => tag.toLowerCase() === wanted.slice(4))
      : [dataset.tier, dataset.name.toLowerCase(), fullName(dataset).toLowerCase()].includes(
          wanted,
        ),
  )
  if (found.length > 0) return found
  const table = lake.externals.find((one) => fullName(one).toLowerCase() === wanted)
  if (table)
    throw new MoraineError(
      'usage',
      `${fullName(table)} is not built here: another engine keeps it`,
      {
        hint: `For the datasets that need it: ${fullName(table)}+`,
      },
    )
  if (wanted.startsWith('tag:')) throw noTag(lake, name.slice(4))
  if (name === '')
    throw new MoraineError('usage', 'A selector names no dataset', {
      hint: 'Write + before or behind a name: +gold.revenue, silver.orders+',
    })
  const known = lake.datasets.flatMap((d) => [fullName(d), d.name])
  const similar = nearest(name, known)
  throw new MoraineError('usage', `There is no dataset '${name}' in this lake`, {
    hint: similar
      ? `Did you mean '${similar}'?`
      : `Its datasets are: ${lake.datasets.map(fullName).join(', ')}`,
  })
}
