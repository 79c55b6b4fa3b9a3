import { safeParse, type z } from 'zod'
import { fullName } from '../define/dataset.js'
import { inputsOf, lookupsOf } from '../define/inputs.js'
import type { AnyDataset, AnyInput, Gold, Silver } from '../define/model.js'
import { keptFrom, retentionOf } from '../define/retention.js'
import { countOf, thousands } from '../define/thousands.js'
import type { Adopted, BatchPointer, Offsets, TableState } from '../log/commit.js'
import { compareDefinitions, type DefinitionChanges } from './changes.js'
import {
  type BuildDecision,
  type Decision,
  type Discovery,
  isForgetting,
  type View,
  type Window,
} from './decision.js'
import { computedOf, definitionOf } from './fingerprint.js'
import { hasSeen, hasSeenTable, historiesOf, lastNumber, windowAfter } from './offsets.js'
import { expiredBy } from './refused/expired.js'

/** What decisions are made by, beside the state of a dataset and its inputs. */
export interface DecideOptions {
  /** Build everything from its inputs again. */
  full: boolean
  /** A hash of a text; definitions are compared by it. */
  hash: (text: string) => string
  now: Date
}

/** What to do for a bronze dataset, by what its source offers. */
export function decideIntake(discovery: Discovery | undefined): Decision {
  if (!discovery) return { action: 'none', reason: 'its source was not checked' }
  const { again = 0, ...others } = discovery
  if (again > 0) {
    const news = decideIntake(others)
    const said = `${again === 1 ? '1 object' : `${again} objects`} in quarantine to try again`
    const reason = news.action === 'none' ? said : `${news.reason}; ${said}`
    return { action: 'intake', reason }
  }
  if ('none' in discovery) {
    const { news, none } = discovery
    return news ? { action: 'intake', reason: news } : { action: 'none', reason: none }
  }
  const { added, changed, known } = discovery
  if (added + changed === 0)
    return { action: 'none', reason: `no new files; ${files(known)} already ingested` }
  const parts = [
    ...(added > 0 ? [`${files(added)} to ingest`] : []),
    ...(changed > 0 ? [`${files(changed)} seem${changed === 1 ? 's' : ''} to have changed`] : []),
  ]
  return { action: 'intake', reason: parts.join(', ') }
}

const files = (n: number) => (n === 1 ? '1 file' : `${n} files`)

/** What to do for a silver or gold dataset, by the state of its inputs. */
export function decide(dataset: Silver | Gold, view: View, options: DecideOptions): Decision {
  return decideFor(dataset, view, options).decision
}

/** {@link decide}, and whether rows of its inputs decided that. */
export function decideFor(
  dataset: Silver | Gold,
  view: View,
  options: DecideOptions,
): { decision: Decision; byInputs: boolean } {
  const { decision, byInputs } = decideAlone(dataset, view, options)
  return { decision: withDrops(decision, dataset, view), byInputs }
}

/** Says which changes of other engines a build would drop: silver keeps them in increments. */
function withDrops(decision: Decision, dataset: Silver | Gold, view: View): Decision {
  const { adopted } = view.tables[fullName(dataset)] ?? {}
  if (!adopted || decision.action !== 'build' || decision.expires) return decision
  if (decision.mode === 'incremental' && dataset.tier === 'silver') return decision
  if (decision.mode === 'incremental' && adopted.parts) {
    const reason = `${decision.reason}; ${adoptedText(adopted)} stay where these are others`
    return { ...decision, reason, avoids: adopted }
  }
  const reason = `${decision.reason}, but ${adoptedText(adopted)} would be dropped`
  return { ...decision, reason, drops: adopted }
}

/** What other engines have changed of a table, in words. */
export function adoptedText({ added, removed }: Adopted): string {
  const parts = [
    ...(added > 0 ? [`${countOf(added, 'row')} added`] : []),
    ...(removed > 0 ? [`${countOf(removed, 'row')} removed`] : []),
  ]
  return `${parts.join(' and ')} by other engines`
}

function decideAlone(
  dataset: Silver | Gold,
  view: View,
  { full, hash, now }: DecideOptions,
): { decision: Decision; byInputs: boolean } {
  const table = view.tables[fullName(dataset)]
  const seen = view.offsets[fullName(dataset)]
  const build = buildsAll(dataset, view)
  const alone = (decision: Decision) => ({ decision, byInputs: false })
  const waits = whyNotYet(dataset, view)
  if (waits) return alone({ action: 'none', reason: waits })
  if (dataset.tier === 'gold' && dataset.view) return alone(decideView(dataset, view, hash))
  if (!table || !seen) return alone(build('it is not built yet'))
  const changes = changesOf(dataset, table, hash)
  if (full) return alone(build('a full rebuild was requested', changes))
  if (table.rebuild) return alone(build(table.rebuild, changes))
  if (changes && !(changes.harmless && canKeepRows(dataset)))
    return alone(build(changes.said.join(', ') || 'its definition changed', changes))
  const found = decideByInputs(dataset, view, seen, table, build)
  const decision = changes
    ? withChanges(found, changes)
    : ((found.action === 'none' ? idle(dataset, table, view, now) : undefined) ?? found)
  return { decision, byInputs: true }
}

type Build = (reason: string, changes?: DefinitionChanges) => BuildDecision

/**
 * How a dataset is built from all rows of its inputs, and whether these have not all of them any
 * more.
 */
function buildsAll(dataset: AnyDataset, view: View): Build {
  const lost = view.tables[fullName(dataset)] ? lostInputs(dataset, view) : []
  return (reason, changes) => ({
    action: 'build',
    mode: 'full',
    reason:
      lost.length > 0 ? `${reason}, but ${lost.join(', ')} has expired some of its rows` : reason,
    windows: bronzeInputs(dataset).map((input) => windowAfter(input, view, 0)),
    ...(changes ? { renamed: changes.renamed } : {}),
    ...(lost.length > 0 ? { lost } : {}),
  })
}

/** Why a dataset can't be built at all so far. */
function whyNotYet(dataset: AnyDataset, view: View): string | undefined {
  const missing = inputsOf(dataset).find((i) => i.tier !== 'bronze' && !view.tables[fullName(i)])
  if (missing)
    return `${fullName(missing)} ${missing.tier === 'external' ? 'cannot be read' : 'is not built yet'}`
  const waiting = view.tables[fullName(dataset)] ? undefined : nothingYet(dataset, view)
  return waiting && `${waiting} has no data yet`
}

/**
 * A view is stored when its definition is new; its rows are those of its inputs, whenever somebody
 * asks.
 */
function decideView(dataset: Gold, view: View, hash: DecideOptions['hash']): Decision {
  const stored = view.views?.[fullName(dataset)]
  const build = (reason: string): Decision => ({
    action: 'build',
    mode: 'full',
    reason,
    windows: [],
  })
  if (!stored) return build('its query is not stored yet')
  const known = { discarded: 0, isNull: () => false }
  const changes = compareDefinitions(stored.definition, definitionOf(dataset, hash), known)
  if (changes) return build(changes.said.join(', ') || 'its definition changed')
  return { action: 'none', reason: 'a view: its query is stored and computed when it is read' }
}

/** What to do if no input is new. */
function idle(
  dataset: Silver | Gold,
  table: TableState,
  view: View,
  now: Date,
): Decision | undefined {
  if (!table.adopted?.unchecked || !canKeepRows(dataset))
    return isForgetting(view) ? undefined : expiring(dataset, table, now)
  const reason = 'other engines have changed its rows: its keys and checks are held against them'
  return { action: 'build', mode: 'incremental', reason, windows: [] }
}

/** What to do if no input is new, but rows of a table have become older than its `keep`. */
function expiring(
  dataset: Silver | Gold,
  { retention: keep }: TableState,
  now: Date,
): Decision | undefined {
  const retention = retentionOf(dataset)
  if (!retention) return undefined
  const from = keptFrom(retention, now)
  const known = keep?.column === retention.by
  if (known && !(keep.oldest && Date.parse(keep.oldest) < from.getTime())) return undefined
  const day = from.toISOString().replace('T00:00:00.000Z', '')
  const reason = known
    ? `rows from before ${day} expire (keep: ${dataset.keep?.for})`
    : `its retention is now ${dataset.keep?.for}`
  return { action: 'build', mode: 'incremental', reason, windows: [], expires: true }
}

/**
 * An input that has never had a batch, so that nobody knows its columns, where there is no other
 * to read.
 */
function nothingYet(dataset: AnyDataset, view: View): string | undefined {
  const isEmpty = (input: AnyInput) =>
    input.tier === 'bronze' &&
    ['inbox', 'ingest', 'http'].includes(input.from.kind) &&
    input.from.columns === undefined &&
    lastNumber(fullName(input), view) === 0
  const read = dataset.tier === 'silver' ? dataset.from : inputsOf(dataset)
  const empty = read.filter(isEmpty)
  const all = dataset.tier === 'silver' ? empty.length === read.length : empty.length > 0
  return all && empty[0] ? fullName(empty[0]) : undefined
}

/**
 * Inputs whose first batches have expired, and whose rest is not all that there is, or of whose
 * rows a table's parts were made that went.
 */
function lostInputs(dataset: AnyDataset, view: View): string[] {
  const batches = bronzeInputs(dataset).filter((input) => hasExpired(input, view))
  return [...batches.map(fullName), ...expiredInputs(view.tables[fullName(dataset)], view)]
}

/** Whether first batches of an input have expired, and its rest is not all that there is. */
function hasExpired(input: AnyInput, view: View): boolean {
  const name = fullName(input)
  return (
    input.tier === 'bronze' &&
    (view.expired?.[name] ?? 0) > 0 &&
    !view.batches[name]?.some((batch) => batch.fullExtract)
  )
}

/** Inputs that have let rows go of which a table keeps what was made of them. */
function expiredInputs(table: TableState | undefined, view: View): string[] {
  return (table?.expiringInputs ?? []).filter(
    (name) => expiredBy(view.tables[name]?.retention).length > 0,
  )
}

/** Only silver that reads bronze takes a new definition for new rows alone. */
function canKeepRows(dataset: AnyDataset): boolean {
  return dataset.tier === 'silver' && tableInputs(dataset).length === 0
}

/**
 * What changed in a dataset's definition since its table was built; `undefined` when nothing did.
 */
export function changesOf(
  dataset: AnyDataset,
  table: TableState,
  hash: (text: string) => string,
): DefinitionChanges | undefined {
  const isNull = (column: string) =>
    dataset.tier === 'silver' &&
    !Object.hasOwn(dataset.select, column) &&
    missingIsNull(dataset.schema.shape[column] as z.ZodType) &&
    table.inputColumns !== undefined &&
    !table.inputColumns.includes(column.toLowerCase())
  // Lakes of version 0.1 held one hash of all of it.
  if (typeof table.definition === 'string')
    return { said: ['Moraine now compares definitions differently'], harmless: false, renamed: {} }
  return compareDefinitions(table.definition, definitionOf(dataset, hash), {
    discarded: table.counts?.discarded ?? 0,
    isNull,
    computed: { before: table.computed, after: computedOf(dataset, hash) },
  })
}

/** Whether a value that is missing is stored as NULL. */
function missingIsNull(schema: z.ZodType): boolean {
  const found = [undefined, null].map((absent) => safeParse(schema, absent)).find((r) => r.success)
  return found?.success === true && (found.data === undefined || found.data === null)
}

/** A decision for a dataset whose definition changed in a way that its rows do not mind. */
function withChanges(decision: Decision, { said, renamed }: DefinitionChanges): Decision {
  const what = said.join(', ') || 'its columns are in another order'
  if (decision.action === 'build')
    return { ...decision, reason: `${decision.reason}; ${what}`, renamed }
  const reason = `${what}; no rows need to be read again`
  return { action: 'build', mode: 'incremental', reason, windows: [], renamed }
}

function decideByInputs(
  dataset: AnyDataset,
  view: View,
  seen: Offsets,
  table: TableState,
  build: Build,
): Decision {
  const changed = inputsOf(dataset).filter((input) =>
    input.tier === 'bronze'
      ? windowAfter(input, view, Number(seen[fullName(input)] ?? 0)).batches.length > 0
      : !hasSeen(seen[fullName(input)], input, view),
  )
  const [first] = changed
  const history = historiesOf(dataset).find((name) => !hasSeenTable(seen[name], name, view))
  if (!first && history)
    return rebuildParts(dataset, table, view, `${history} changed`) ?? build(`${history} changed`)
  if (!first) return { action: 'none', reason: 'its inputs have not changed' }
  if (dataset.tier === 'gold') return decideGold(dataset, table, changed, view, seen, build)
  const other = changed.find((input) => input.tier !== 'bronze')
  if (other) return build(`${fullName(other)} changed${readAgain(dataset, changed, view)}`)
  return decideByBatches(dataset as Silver, view, seen, build)
}

/**
 * Gold that is kept up to date by parts is only built anew when something else than its rows
 * changed.
 */
function decideGold(
  dataset: Gold,
  table: TableState,
  changed: readonly AnyInput[],
  view: View,
  seen: Offsets,
  build: Build,
): Decision {
  const names = changed.map(fullName)
  const said = changed
    .map((input) => {
      if (input.tier !== 'bronze') return `${fullName(input)} changed`
      const { batches } = windowAfter(input, view, Number(seen[fullName(input)] ?? 0))
      return `${fullName(input)} has ${newBatches(batches)}`
    })
    .join(', ')
  const { incremental } = dataset
  const { drivingInputs: driving } = table
  if (!incremental || driving === undefined) return build(said)
  if (names.some((name) => !driving.includes(name))) {
    const reason = `${said}, which may affect any partition`
    return rebuildParts(dataset, table, view, reason) ?? build(reason)
  }
  const whole = changed.some((input) => {
    const { batches } = windowAfter(input, view, Number(seen[fullName(input)] ?? 0))
    return input.tier === 'bronze' && batches.some((batch) => batch.fullExtract)
  })
  if (whole) return build(`${said}, which is a full extract`)
  // A part is computed from all of its rows, and of the batches some may have been in those.
  if (inputsOf(dataset).some((input) => hasExpired(input, view))) return build(said)
  const reason = `${said}: only the affected values of '${incremental.by}' are computed`
  return { action: 'build', mode: 'incremental', reason, windows: [] }
}

/** Where parts are final, as rows that they were made of are gone, the others are computed. */
function rebuildParts(
  dataset: AnyDataset,
  table: TableState,
  view: View,
  reason: string,
): Decision | undefined {
  if (inputsOf(dataset).some((input) => hasExpired(input, view))) return undefined
  if (expiredInputs(table, view).length === 0) return undefined
  return { action: 'build', mode: 'incremental', reason, windows: [], all: true }
}

function decideByBatches(dataset: Silver, view: View, seen: Offsets, build: Build): Decision {
  const windows = bronzeInputs(dataset)
    .map((input) => windowAfter(input, view, Number(seen[fullName(input)] ?? 0)))
    .filter((window) => window.batches.length > 0)
  const reason = windows
    .map(({ dataset, batches }) => `${dataset} has ${newBatches(batches)}`)
    .join(', ')
  if (windows.some((window) => window.batches.some((batch) => batch.fullExtract)))
    return build(`${reason}, which is a full extract`)
  const replaces = windows.some((window) => window.batches.some((batch) => batch.replaces))
  // Only a key tells which rows of a file's earlier version a new one takes the place of.
  if (dataset.key.length === 0 && replaces)
    return build(`${reason}, with files that were read before`)
  const named = windows.find((window) => namesFellTogether(window, view, seen))
  if (named && lostInputs(dataset, view).length === 0)
    return build(
      `${reason}, in which two column names of ${named.dataset} coincide for the first time`,
    )
  const lookups = lookupsOf(dataset).map(fullName)
  const looked = windows.find((window) => lookups.includes(window.dataset))
  if (looked) return build(`${reason}${readAgain(dataset, lookupsOf(dataset), view)}`)
  // New rows would not find what has expired there.
  if (lookupsOf(dataset).some((input) => hasExpired(input, view))) return build(reason)
  return { action: 'build', mode: 'incremental', reason, windows }
}

/**
 * Whether batches have names in rows together that were one column before: what was read of earlier
 * ones may be in another now.
 */
function namesFellTogether({ dataset, batches }: Window, view: View, seen: Offsets): boolean {
  const before = (view.batches[dataset] ?? []).filter((b) => b.number <= Number(seen[dataset] ?? 0))
  if (before.length === 0) return false
  const known = new Set(
    before.flatMap(({ collidingNames: names = [] }) => names).map((key) => key.join('\n')),
  )
  return batches.some(({ collidingNames: names = [] }) =>
    names.some((key) => !known.has(key.join('\n'))),
  )
}

/**
 * What a change costs of what rows look something up in: any of them may find something else now.
 */
export function readAgain(dataset: AnyDataset, changed: readonly AnyInput[], view: View): string {
  if (dataset.tier !== 'silver') return ''
  const looked = lookupsOf(dataset)
  if (!changed.some((input) => looked.includes(input))) return ''
  const rows = dataset.from.reduce((sum, input) => sum + rowsOf(input, view), 0)
  const inputs = dataset.from.map(fullName).join(', ')
  return `, which it uses as a lookup: all ${thousands(rows)} rows of ${inputs} are read again`
}

function rowsOf(input: AnyInput, view: View): number {
  if (input.tier !== 'bronze') return view.tables[fullName(input)]?.rows ?? 0
  return windowAfter(input, view, 0).batches.reduce((sum, batch) => sum + batch.rows, 0)
}

function newBatches(batches: readonly BatchPointer[]): string {
  const rows = countOf(
    batches.reduce((sum, batch) => sum + batch.rows, 0),
    'row',
  )
  return batches.length === 1
    ? `a new batch of ${rows}`
    : `${batches.length} new batches of ${rows}`
}

function bronzeInputs(dataset: AnyDataset): AnyDataset[] {
  return inputsOf(dataset).filter((input) => input.tier === 'bronze')
}

function tableInputs(dataset: AnyDataset): AnyInput[] {
  return inputsOf(dataset).filter((input) => input.tier !== 'bronze')
}
