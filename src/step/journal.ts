import { MoraineError } from '../errors.js'
import type { TableState } from '../log/commit.js'
import { tablesInPlainWords } from '../log/format/earlier-words.js'
import { encodeSealed, parseSealed } from '../storage/sealed.js'
import type { Storage } from '../storage/storage.js'
import type { RunRecord, StepResult } from './events.js'

/**
 * A run as its folder in storage shows it: an end is missing while it runs, or when it was killed.
 */
export interface JournalEntry {
  run: string
  started: string
  record: RunRecord | undefined
  /** Something was written there, and is not what it was. */
  damaged?: true
}

const FORMAT = 2
/**
 * Of steps; before, their tables were in the words of earlier versions, which know this one's no
 * better.
 */
const STEP_FORMAT = 3
const encode = (value: object, format = FORMAT) => encodeSealed({ ...value, format })
/** `undefined` for what is not what was written, or was written by a newer program. */
function decode<T>(bytes: Uint8Array | undefined, format = FORMAT): T | undefined {
  const found = bytes && parseSealed<{ format: number }>(bytes)
  return found && found.head.format <= format ? (found.head as unknown as T) : undefined
}

/** The branch that holds what a run built but did not publish. */
export const branchOf = (run: string): string => `run-${run}`

/** A step's result whose files are in storage, so that a later run need not do it again. */
export interface StepCheckpoint {
  /** What the result depends on, as a hash. */
  work: string
  tables: Record<string, TableState>
  result: Partial<StepResult>
}

/** How many of the newest runs are looked through for results that were never published. */
const LOOK_BACK = 3

/** The records of runs, for people and for the console; the log does not depend on them. */
export class Journal {
  private unpublished: Promise<(StepCheckpoint & { run: string })[]> | undefined

  constructor(private readonly storage: Storage) {}

  /**
   * Keeps a step's result: if the run is stopped before it commits, the next one goes on from here.
   */
  async checkpoint(run: string, dataset: string, step: StepCheckpoint): Promise<void> {
    await this.storage.write(
      `_moraine/runs/${run}/steps/${dataset}.json`,
      encode(step, STEP_FORMAT),
    )
  }

  /** The result of the same work by a run that was stopped before it could publish it. */
  async resumable(work: string): Promise<(StepCheckpoint & { run: string }) | undefined> {
    this.unpublished ??= this.findUnpublished()
    return (await this.unpublished).find((step) => step.work === work)
  }

  private async findUnpublished(): Promise<(StepCheckpoint & { run: string })[]> {
    const runs = await this.latest(LOOK_BACK)
    const stopped = runs.filter(({ record }) => record?.outcome !== 'done')
    const found = await Promise.all(
      stopped.map(async ({ run }) => {
        const objects = await this.storage.list(`_moraine/runs/${run}/steps/`)
        return Promise.all(objects.map(({ path }) => this.readStep(run, path)))
      }),
    )
    return found.flat().filter((step) => step !== undefined)
  }

  private async readStep(
    run: string,
    path: string,
  ): Promise<(StepCheckpoint & { run: string }) | undefined> {
    // A damaged note only means that the work is done again.
    const bytes = await this.storage.readIfPresent(path)
    const step = decode<StepCheckpoint & { format: number }>(bytes, STEP_FORMAT)
    if (!step) return undefined
    const { format, tables, ...others } = step
    return { ...others, tables: format < 3 ? tablesInPlainWords(tables) : tables, run }
  }

  async begin(run: string, started: string): Promise<void> {
    await this.storage.write(`_moraine/runs/${run}/start.json`, encode({ run, started }))
  }

  async end(record: RunRecord): Promise<void> {
    await this.storage.write(`_moraine/runs/${record.run}/end.json`, encode(record))
  }

  /** The newest runs first. */
  async latest(limit: number): Promise<JournalEntry[]> {
    const runs = (await this.ids()).reverse().slice(0, limit)
    const entries = await Promise.all(runs.map((run) => this.read(run)))
    return entries.filter((entry) => entry !== undefined)
  }

  /**
   * The same of those on main, and on a branch where one is told: what other branches try out says
   * nothing of it.
   */
  async latestOn(branch: string | undefined, limit: number): Promise<JournalEntry[]> {
    const entries = await this.latest(limit)
    return entries.filter(({ record }) => [undefined, branch].includes(record?.branch))
  }

  /**
   * A commit that the newest runs made and that the log, which ends at `last`, does not have: its
   * tail was cut off.
   */
  async beyond(last: number): Promise<{ run: string; commit: number } | undefined> {
    for (const { run, record } of await this.latestOn(undefined, LOOK_BACK)) {
      const commit = Math.max(0, ...(record?.commits ?? []))
      if (commit > last) return { run, commit }
    }
    return undefined
  }

  /** All runs that left something, newest first, read as they are asked for. */
  async *newestFirst(): AsyncGenerator<JournalEntry> {
    for (const run of (await this.ids()).reverse()) {
      const entry = await this.read(run)
      if (entry) yield entry
    }
  }

  /**
   * The run of an id, or the one whose id begins or ends so.
   *
   * @throws MoraineError of kind `usage` when there is none or several.
   */
  async find(text: string): Promise<JournalEntry> {
    const runs = await this.ids()
    const found = runs.includes(text)
      ? [text]
      : runs.filter((run) => run.startsWith(text) || run.endsWith(text))
    const entry = found.length === 1 ? await this.read(found[0] as string) : undefined
    if (entry) return entry
    throw new MoraineError(
      'usage',
      found.length > 1 ? `${found.length} runs are called ${text}…` : `There is no run ${text}`,
      { hint: 'See the runs with: moraine runs' },
    )
  }

  /** The ids of all runs, oldest first; what else lies there is none. */
  async ids(): Promise<string[]> {
    const folders = await this.storage.folders('_moraine/runs/')
    return folders.filter((name) => /^\d/.test(name))
  }

  async read(run: string): Promise<JournalEntry | undefined> {
    const part = (name: string) => this.storage.readIfPresent(`_moraine/runs/${run}/${name}.json`)
    const end = await part('end')
    const ended = decode<RunRecord>(end)
    const record = ended && { ...ended, format: 1 as const }
    // The end says all that the start does.
    if (record) return { run, started: record.started, record }
    const start = await part('start')
    if (!start) return undefined
    const begun = decode<{ started: string }>(start)
    const damaged = !begun || end !== undefined
    const started = begun?.started ?? startOf(run)
    return { run, started, record, ...(damaged ? { damaged } : {}) }
  }
}

/** When a run began, as its id says. */
export function startOf(run: string): string {
  const [, day = '', time = ''] = /^(\d{8})T?(\d{6})/.exec(run) ?? []
  const parsed = new Date(
    `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}Z`,
  )
  return Number.isNaN(parsed.getTime()) ? new Date(0).toISOString() : parsed.toISOString()
}
