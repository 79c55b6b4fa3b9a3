import { awaitedOn, type Waiting } from '../branch/waiting.js'
import { afterNow } from '../bronze/database/checkpoint.js'
import type { Held } from '../bronze/held.js'
import { quarantineText } from '../bronze/quarantine/messages.js'
import { acceptCommand, heldOf, heldText } from '../bronze/shrink.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset } from '../define/model.js'
import { messageOf } from '../errors.js'
import type { LakeState, RowCounts } from '../log/commit.js'
import { quarantinedOf } from '../log/quarantined.js'
import { adoptedText } from '../plan/decide.js'
import { plan, type Stage } from '../plan/plan.js'
import type { Looked } from '../run/sources.js'
import { hash } from '../step/context.js'
import { Externals } from '../step/external/externals.js'
import type { Storage } from '../storage/storage.js'
import { count } from './output/format.js'
import type { Project } from './project.js'

/** What `moraine status` says of a dataset. */
export interface Status extends Partial<RowCounts> {
  dataset: string
  rows: number | null
  bytes: number | null
  files: number | null
  /** What other engines have changed of its rows. */
  adopted?: { added: number; removed: number }
  state: string
  /**
   * An extract that has far fewer rows than the one that is there, and waits for somebody to accept
   * it.
   */
  held?: Held
  upToDate: boolean
  /** Objects that could not be read, and were set aside. */
  quarantined?: number
  /** What somebody should know of it. */
  notes: readonly string[]
  description: string | null
  owner: string | null
  tags: readonly string[]
}

/**
 * What is known of all datasets of a lake, and what waits for a review.
 *
 * @param looked what their sources offer, where they were looked at.
 */
export async function statusOfAll(
  { lake, storage, log, house }: Pick<Project, 'lake' | 'log' | 'house'> & { storage: Storage },
  state: LakeState,
  looked: Pick<Looked, 'discoveries' | 'problems'> | undefined,
): Promise<{ rows: Status[]; waiting: Waiting | undefined }> {
  const { datasets } = lake
  const { discoveries = {}, problems = {} } = looked ?? {}
  const { state: seen, waiting } = await awaitedOn({ lake, log, branch: house.branch }, state)
  const waits = new Set(waiting?.datasets.map(({ dataset }) => dataset))
  const externals = await Externals.of(storage, seen, datasets, { files: false })
  const view = externals.on(seen)
  const { stages } = plan({ datasets, view, discoveries, full: false, hash, now: new Date() })
  const rows = stages.map((stage) => {
    const problem = problems[stage.name] ?? externals.problemOf(stage.dataset)
    const status = statusOf(stage, state, looked !== undefined, problem)
    if (!status.upToDate || !waits.has(stage.name)) return status
    return { ...status, state: 'a newer version waits for a review', upToDate: false }
  })
  return { rows, waiting }
}

/**
 * What is known of a dataset.
 *
 * @param checked whether its source was looked at as well.
 * @param problem why that could not be.
 */
function statusOf(
  { dataset, name, decision }: Stage,
  state: LakeState,
  checked: boolean,
  problem: unknown,
): Status {
  const upToDate = decision.action === 'none' && problem === undefined
  const bronze = dataset.tier === 'bronze'
  const known = bronze && !checked ? batchesOf(dataset, state) : decision.reason
  const reason = problem === undefined ? known : messageOf(problem)
  const quarantined = quarantinedOf(state, name)
  const quarantine = quarantineText(quarantined)
  const own = state.ownSources?.[name]
  const notes = [
    ...(own ? [`its rows here come from ${own.from}`] : []),
    ...laterOf(dataset, state),
    ...(quarantine ? [`${quarantine}: moraine quarantine`] : []),
  ]
  const { description, owner, tags } = dataset.about
  const about = { description: description ?? null, owner: owner ?? null, tags: tags ?? [] }
  const counted = quarantined.length > 0 ? { quarantined: quarantined.length } : {}
  const common = { dataset: name, state: reason, upToDate, notes, ...counted, ...about }
  const held = heldOf(state, name)
  if (bronze && held)
    return {
      ...common,
      state: `${heldText(held)}; ${acceptCommand(name)} accepts them`,
      held,
      ...bronzeTotals(dataset, state),
    }
  if (bronze) return { ...common, ...bronzeTotals(dataset, state) }
  const table = state.tables[name]
  if (!table) return { ...common, rows: null, bytes: null, files: null }
  const { rows, bytes, files, counts, adopted } = table
  const changed = adopted && { adopted: { added: adopted.added, removed: adopted.removed } }
  return {
    ...common,
    ...(adopted ? { ...changed, notes: [...notes, adoptedText(adopted)] } : {}),
    rows,
    bytes,
    files,
    ...counts,
  }
}

/** What the log knows of a bronze dataset's rows. */
function batchesOf(dataset: AnyDataset, state: LakeState): string {
  const batches = state.batches[fullName(dataset)] ?? []
  const day = /\/(\d{4}-\d\d-\d\d)\//.exec(batches.at(-1)?.manifest ?? '')?.[1]
  if (batches.length === 0) return 'it has no data yet'
  const many = batches.length === 1 ? '1 batch' : `${count(batches.length)} batches`
  return `${many}${day ? `, the last on ${day}` : ''}`
}

/** Rows of a database whose cursor lies after now. */
function laterOf(dataset: AnyDataset, state: LakeState): string[] {
  if (dataset.tier !== 'bronze' || dataset.from.kind !== 'database') return []
  const { later } = (state.watermarks[fullName(dataset)] ?? {}) as { later?: number }
  return later ? [afterNow(dataset.from.cursor ?? '', later)] : []
}

function bronzeTotals(dataset: AnyDataset, state: LakeState) {
  const batches = state.batches[fullName(dataset)]
  if (!batches) return { rows: null, bytes: null, files: null }
  const sum = (pick: 'rows' | 'bytes') => batches.reduce((n, b) => n + b[pick], 0)
  return { rows: sum('rows'), bytes: sum('bytes'), files: batches.length }
}
