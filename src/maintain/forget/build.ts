import { fullName } from '../../define/dataset.js'
import { MoraineError } from '../../errors.js'
import type { NamedReceipt } from '../../log/forgotten.js'
import type { CommitLog } from '../../log/log.js'
import { select } from '../../plan/graph.js'
import { runLake } from '../../run/execute.js'
import { olderDefinition } from '../../run/older-definition.js'
import { publishedAtOnce } from '../../run/publish.js'
import { hash } from '../../step/context.js'
import type { RunRecord } from '../../step/events.js'
import { Externals } from '../../step/external/externals.js'
import type { ForgetOptions, SearchContext } from './options.js'
import { refusal, sentence } from './refusal.js'
import { madeOf, type Removal } from './removal.js'

/**
 * Makes sure that what is made of the rows can be built without them, as far as that is known
 * before: inputs that other engines keep can be read, and `lake.ts` is not an older one.
 *
 * @throws MoraineError of kind `usage` for the first dataset that can't.
 */
export async function refuseUnbuildable(
  { lake, storage, state, relations }: SearchContext,
  removal: Removal,
): Promise<void> {
  const built = madeOf(lake, removal).filter(
    (one) => one.tier !== 'bronze' && state.tables[fullName(one)],
  )
  const externals = await Externals.of(storage, state, built, { files: true })
  for (const dataset of built) {
    const error = externals.problemOf(dataset) ?? olderDefinition(dataset, relations.view, hash)
    if (error)
      throw refusal(
        `${fullName(dataset)} could not be built without the rows: ${error.message}`,
        error.hint ?? 'Bring the lake up to date first: moraine run.',
      )
  }
}

/** Builds what is made of datasets that rows were removed from. */
export async function build(
  options: ForgetOptions,
  { rows, commit }: NamedReceipt,
): Promise<RunRecord | undefined> {
  const { lake, storage, log, engine, javascript, author, signal } = options
  const then = Object.keys(rows).map((name) =>
    name.replace(/^(history|discarded|deleted|tombstones)\./, 'silver.'),
  )
  const names = await namesSince(log, commit, then)
  const known = lake.datasets.filter((dataset) => names.has(fullName(dataset)))
  const chosen = select(lake, [...known.map((dataset) => `${fullName(dataset)}+`)])
    .filter(({ tier }) => tier !== 'bronze')
    .map(fullName)
  if (known.length === 0 || chosen.length === 0) return undefined
  const record = await runLake(publishedAtOnce(lake), {
    ...{ storage, log, engine, javascript, author, signal },
    select: chosen,
  })
  signal.throwIfAborted()
  const failed = record.steps.find(({ outcome }) =>
    ['failed', 'blocked', 'cancelled', 'held'].includes(outcome),
  )
  const error = failed?.error ?? record.error
  const advice = error?.hint ? `${sentence(error.hint)} ` : ''
  if (!failed && !error) return record
  throw new MoraineError(
    'usage',
    `${failed?.dataset ?? 'What is made of the rows'} could not be built without them: ${error?.message ?? failed?.outcome}`,
    {
      hint: `${advice}The rows are gone from bronze and silver, and still there in what is made of them and in earlier states. Fix this, then forget them again: it continues from there.`,
    },
  )
}

/**
 * What datasets were called at a commit, and ever since: a rollback may bring an earlier name back.
 * A name that they had before may be another's by now.
 */
export async function namesSince(
  log: CommitLog,
  commit: number,
  then: readonly string[],
): Promise<ReadonlySet<string>> {
  const names = new Set(then)
  const { number: last } = await log.head()
  for (let number = commit + 1; number <= last; number++) {
    const { renamed = {} } = (await log.entry(number))?.commit.changes ?? {}
    for (const [old, now] of Object.entries(renamed)) if (now && names.has(old)) names.add(now)
  }
  return names
}
