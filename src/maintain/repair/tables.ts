import { fullName } from '../../define/dataset.js'
import { inputsOf, isBuilt } from '../../define/inputs.js'
import type { AnyDataset } from '../../define/model.js'
import type { LakeState, TableState } from '../../log/commit.js'
import { CommitLog } from '../../log/log.js'
import { couldNotRead, type Damage, type Part } from '../../log/verify/damage.js'
import { decide } from '../../plan/decide.js'
import { select } from '../../plan/graph.js'
import { lossOf } from '../../plan/refused/loss.js'
import { runLake } from '../../run/execute.js'
import { publishedAtOnce } from '../../run/publish.js'
import { hash } from '../../step/context.js'
import { Externals } from '../../step/external/externals.js'
import { readableBefore } from './earlier.js'
import { lost, type Mend, makerOf, type RepairOptions } from './mend.js'

/**
 * Tables whose files are damaged: they are built anew from their inputs, in one run, with what
 * reads them.
 */
export class TableRepairs {
  constructor(private readonly options: RepairOptions) {}

  /** @param broken bronze datasets that are not whole: what is made of them can't be made anew. */
  async all(
    damaged: readonly Damage[],
    state: LakeState,
    broken: ReadonlySet<string>,
  ): Promise<Mend[]> {
    const { lake, storage } = this.options
    const externals = await Externals.of(storage, state, lake.datasets, { files: false })
    const view = externals.on(state)
    const mends: Mend[] = []
    const makers = new Map<AnyDataset, Damage[]>()
    for (const one of damaged) {
      if (one.part.kind !== 'table') continue
      const maker = makerOf(lake, one.part.table)
      const why =
        whyNotBuilt(one, one.part) ?? this.cantBuildBy(maker, one.part.table, view, broken)
      if (why !== undefined || !maker) mends.push(lost(one, why ?? ''))
      else makers.set(maker, [...(makers.get(maker) ?? []), one])
    }
    if (makers.size === 0) return mends
    const failed = await this.build([...makers.keys()], [...makers.values()].flat(), state)
    for (const [maker, of] of makers)
      for (const one of of) {
        const name = fullName(maker)
        const why = failed.get(name)
        mends.push(
          why === undefined
            ? {
                path: one.path,
                why: one.why,
                how: 'made',
                text: `${name} is rebuilt from its inputs, together with everything downstream`,
                command: `moraine run ${name}+ --full`,
              }
            : why.passing
              ? {
                  ...lost(
                    one,
                    `${name} is not rebuilt, because what decides that ${couldNotRead(why.said)}`,
                  ),
                  how: 'unread',
                }
              : lost(one, `${name} could not be rebuilt: ${why.said}`),
        )
      }
    return mends
  }

  private cantBuildBy(
    maker: AnyDataset | undefined,
    table: string,
    state: LakeState,
    broken: ReadonlySet<string>,
  ): string | undefined {
    if (maker) return this.cantBuild(maker, state, broken)
    return `lake.ts has no dataset for ${table}: roll back to an earlier state, or drop it`
  }

  private cantBuild(
    dataset: AnyDataset,
    state: LakeState,
    broken: ReadonlySet<string>,
  ): string | undefined {
    const bad = upstream(dataset).find((input) => broken.has(fullName(input)))
    if (bad)
      return `${fullName(dataset)} cannot be rebuilt, because ${fullName(bad)} is damaged too. Restore it from a backup`
    // Who reads it is built with it.
    for (const one of select(this.options.lake, [`${fullName(dataset)}+`])) {
      if (one.tier === 'bronze') continue
      const decision = decide(one, state, { full: true, hash, now: new Date() })
      const loss = lossOf(one, decision)
      if (loss) return `${loss.message}. ${loss.hint}`
    }
    return undefined
  }

  /** Says in the log which objects are damaged. */
  private async note(damaged: readonly Damage[]): Promise<void> {
    const { storage, author } = this.options
    const log = new CommitLog(storage)
    const repaired = Object.fromEntries(damaged.map(({ path }) => [path, null]))
    const n = damaged.length === 1 ? 'a damaged file' : `${damaged.length} damaged files`
    const message = `record ${n} of tables that are rebuilt`
    await log.commit(await log.head(), { repaired }, { author, run: null, message }, { seen: true })
  }

  /** @returns what failed, by the names of datasets. */
  private async build(
    datasets: readonly AnyDataset[],
    damaged: readonly Damage[],
    _state: LakeState,
  ): Promise<ReadonlyMap<string, Failed>> {
    const { lake, storage, engine, javascript, author, signal, apply } = this.options
    if (!apply) return new Map()
    const log = new CommitLog(storage)
    const anew = new Map<string, TableState | undefined>()
    for (const { part } of damaged)
      if (part.kind === 'table' && part.file === 'metadata')
        anew.set(part.table, await readableBefore(log, storage, part.table))
    // First: a rollback to what leads to them is refused, whatever becomes of this process.
    await this.note(damaged)
    const record = await runLake(publishedAtOnce(lake), {
      storage,
      engine,
      author,
      full: true,
      anew,
      select: datasets.map((dataset) => `${fullName(dataset)}+`),
      ...(javascript ? { javascript } : {}),
      ...(signal ? { signal } : {}),
    })
    const failed = record.steps.flatMap(({ dataset, outcome, error }) =>
      ['failed', 'blocked', 'cancelled', 'held'].includes(outcome)
        ? [[dataset, failure(error, outcome)] as const]
        : [],
    )
    const all = record.error
      ? datasets.map((one) => [fullName(one), failure(record.error, '')] as const)
      : []
    return new Map([...all, ...failed])
  }
}

/** Why building a table again would not help. */
function whyNotBuilt({ head }: Damage, { table, tag, file }: Part & { kind: 'table' }) {
  if (tag !== undefined)
    return `only the tag ${tag} of ${table} refers to it: restore it from a backup, or remove the tag`
  if (file === 'statistics')
    return `no row of ${table} is affected: have the engine that made these statistics compute them again`
  if (head) return undefined
  return 'only earlier commits refer to it, and they can no longer be read. Restore it from a backup'
}

interface Failed {
  said: string
  /** It says nothing of what is damaged: the storage failed meanwhile. */
  passing: boolean
}

function failure(error: { kind: string; message: string } | undefined, outcome: string): Failed {
  return { said: error?.message ?? outcome, passing: error?.kind === 'storage' }
}

function upstream(dataset: AnyDataset): AnyDataset[] {
  if (dataset.tier === 'bronze') return [dataset]
  return inputsOf(dataset)
    .filter(isBuilt)
    .flatMap((input) => [input, ...upstream(input)])
}
