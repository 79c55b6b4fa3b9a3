import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import type { ScanTask } from '../../iceberg/deletes.js'
import { currentSpec } from '../../iceberg/spec/metadata.js'
import { failureOf } from '../../silver/failed.js'
import { inputGroups } from '../../silver/input/groups.js'
import { removesKeys } from '../../silver/keys.js'
import { contestedGroups } from '../../silver/parts/contested.js'
import { scratchPaths } from '../../silver/parts/scratch.js'
import type { StepContext, StepResources } from '../../step/context.js'
import { deletesByCost } from '../../step/delete-strategy.js'
import { proveNothingLost } from '../../step/task/counts.js'
import { finishStep } from '../../step/task/finish.js'
import type { LostPlaces, StepOutput } from '../../step/task/output.js'
import { mergeOutputs } from '../../step/task/split.js'
import type { GroupRows, LosingTable, StepPart, StepTask } from '../../step/task/task.js'
import { shapedTable } from '../../step/write-table.js'
import { contextOf } from '../execute-step.js'

/** How much work a part of a step is. */
export interface PartSizes {
  /** Rows, and bytes of files, from which on a step is worth another part. */
  rows: number
  bytes: number
  /** Bytes of files that a part reads at most, however many parts that makes. */
  mostBytes: number
  /** Rows whose keys one part compares. */
  keys: number
  /** Rows that a range of a large file has at least. */
  rangeRows: number
}

/** A step, and who carries parts of it out. */
interface WorkToSplit {
  resources: StepResources
  dataset: Silver
  task: StepTask
  /** Gives what all of the parts give; if one fails, nothing of the others goes on. */
  carryOut: (parts: readonly StepTask[]) => Promise<StepOutput[]>
}

/**
 * A step of silver in parts. Each group of input files is validated and written by itself; keys
 * that several groups have are compared by buckets; files that lose rows list them as deleted, or
 * are written again.
 */
export class SplitStep {
  private readonly context: StepContext
  private readonly name: string

  private readonly dataset: Silver
  private readonly task: StepTask
  private readonly carryOutTasks: WorkToSplit['carryOut']

  constructor(
    { resources, dataset, task, carryOut }: WorkToSplit,
    private readonly sizes: PartSizes,
  ) {
    this.dataset = dataset
    this.task = task
    this.carryOutTasks = carryOut
    this.context = contextOf(resources, task)
    this.name = fullName(dataset)
  }

  /** Carries the step out; `undefined` where its input is one piece. */
  async run(of: number, most: number): Promise<StepOutput | undefined> {
    const { context, dataset, task } = this
    const { rangeRows } = this.sizes
    const { length } = await inputGroups(context, dataset, task.decision, { of, rangeRows })
    if (length < 2) return undefined
    const parts = Array.from({ length }, (_, index) => {
      return { by: 'files' as const, index, of, rangeRows }
    })
    const outputs: StepOutput[] = []
    try {
      outputs.push(...(await this.carryOut(parts)))
      const groups = outputs.flatMap(({ left }) => left?.group ?? [])
      if (dataset.key.length > 0) {
        outputs.push(...(await this.compareKeys(groups, outputs)))
        outputs.push(...(await this.loseRows(outputs, most)))
      }
      return await this.together(outputs)
    } finally {
      await this.forget(outputs)
    }
  }

  private carryOut(parts: readonly StepPart[]): Promise<StepOutput[]> {
    return this.carryOutTasks(parts.map((part) => ({ ...this.task, part })))
  }

  /** Compares keys that more than one group has, or that the table has already. */
  private async compareKeys(
    groups: readonly GroupRows[],
    outputs: readonly StepOutput[],
  ): Promise<StepOutput[]> {
    const { dataset, context, name } = this
    const { decision } = this.task
    const shape = outputs[0]?.tables[name]?.shape
    if (!shape) throw new Error(`no part has written ${name}`)
    const { schema } = await shapedTable(context, name, shape)
    const contested =
      decision.mode === 'incremental' ? groups : contestedGroups(dataset, schema, groups)
    const rows = contested.reduce(
      (sum, { data, others, versions }) =>
        sum + [...data, ...others, ...versions].reduce((n, file) => n + file.rows, 0),
      0,
    )
    // Tables of keys that are gone, and of versions, are written in any case.
    if (rows === 0 && !removesKeys(dataset) && !dataset.history) return []
    const of = Math.max(Math.ceil(rows / this.sizes.keys), 1)
    return this.carryOut(
      Array.from({ length: of }, (_, index) => ({ by: 'keys', index, of, groups: contested })),
    )
  }

  /** Has files lose rows that something newer was found for. */
  private async loseRows(outputs: readonly StepOutput[], most: number): Promise<StepOutput[]> {
    const names = new Set(outputs.flatMap(({ left }) => Object.keys(left?.lost ?? {})))
    const parts: Record<string, LosingTable>[] = []
    for (const name of names) {
      const lost = outputs.flatMap(({ left }) => left?.lost?.[name] ?? [])
      for (const [i, one] of (await this.losing(name, outputs, lost, most)).entries())
        parts[i] = { ...parts[i], [name]: one }
    }
    return this.carryOut(parts.map((tables) => ({ by: 'places', tables })))
  }

  /** The files of a table that lose rows, in parts. */
  private async losing(
    name: string,
    outputs: readonly StepOutput[],
    lost: readonly LostPlaces[],
    most: number,
  ): Promise<LosingTable[]> {
    const { context, task } = this
    const written = outputs.flatMap(({ tables }) => tables[name] ?? [])
    const shape = written[0]?.shape
    if (!shape) throw new Error(`no part has written ${name}`)
    const table = await shapedTable(context, name, shape)
    const { 'spec-id': spec } = currentSpec(table.metadata)
    const fresh = written.flatMap(({ changes }) => changes.flatMap(({ added }) => added))
    const before = task.decision.mode === 'incremental' ? await table.plan() : []
    const added = fresh.map((file): ScanTask => ({ file, spec, deletes: [] }))
    const rows = new Map<string, number>()
    for (const one of lost)
      for (const [file, n] of Object.entries(one.rows)) rows.set(file, (rows.get(file) ?? 0) + n)
    const lostOf = ({ file }: ScanTask) => rows.get(file.path) ?? 0
    const old = deletesByCost(before, lostOf, context.rewriteUpTo)
    // What was written a moment ago is not written again but where many of its rows go.
    const own = deletesByCost(added, lostOf, 0)
    const rewritten = [...old.rewritten, ...own.rewritten]
    const listed = [...old.listed, ...own.listed]
    const bytes = rewritten.reduce((sum, { file }) => sum + file.bytes, 0)
    const of = Math.max(Math.min(most, Math.ceil(bytes / this.sizes.bytes)), 1)
    const share = (all: readonly ScanTask[], index: number) =>
      all.filter((_, i) => i % of === index)
    return Array.from({ length: of }, (_, index) => ({
      shape,
      places: lost.flatMap(({ places }) => places),
      rewritten: share(rewritten, index),
      listed: share(listed, index),
    }))
  }

  /** What all parts give, as if the step had not been split. */
  private async together(outputs: readonly StepOutput[]): Promise<StepOutput> {
    const { context, dataset, task, name } = this
    const merged = mergeOutputs(outputs)
    const failed = merged.left?.failed
    const { counts, left: _, ...rest } = merged
    const { tables } = rest
    if (!counts) throw new Error(`no part of ${name} has counted its rows`)
    proveNothingLost(name, counts.now)
    const added = tables[name]?.changes.flatMap((change) => change.added) ?? []
    const result = {
      ...rest.result,
      counts: { ...counts.now, replaced: counts.replaced },
      rows: counts.now.kept,
      files: added.length,
      bytes: added.reduce((sum, { bytes }) => sum + bytes, 0),
    }
    const failure = failed && failureOf(context, dataset, failed)
    const whole = { ...rest, counts, result, ...(failure ? { failure } : {}) }
    return finishStep(context, dataset, task, whole)
  }

  /** Removes what parts have handed to each other; what stays, a vacuum finds. */
  private async forget(outputs: readonly StepOutput[]): Promise<void> {
    const { storage } = this.context
    const files = outputs.flatMap(({ left }) => [
      ...(left?.group?.others ?? []),
      ...(left?.group?.versions ?? []),
      ...Object.values(left?.lost ?? {}).flatMap(({ places }) => places),
    ])
    const paths = scratchPaths(this.context, files)
    await Promise.all(paths.map((path) => storage.remove(path).catch(() => {})))
  }
}
