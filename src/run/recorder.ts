import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyDataset } from '../define/model.js'
import type { TableState } from '../log/commit.js'
import { Heartbeat } from '../log/live.js'
import type { RunEvent, RunRecord } from '../step/events.js'
import { Journal } from '../step/journal.js'
import { requestsSoFar } from '../storage/s3/requests.js'
import type { Shared } from './run-context.js'
import type { Steps } from './steps.js'

/**
 * What a run leaves and tells beside its tables: its folder in storage, its record, and that it
 * lives.
 */
export class RunRecorder {
  readonly journal: Journal
  /** New versions of tables that nobody may see, as a check is broken. */
  readonly rejected: Record<string, TableState> = {}
  failure: RunRecord['error']
  private readonly commits: number[] = []
  private review: RunRecord['review']
  private begun: Promise<void> | undefined
  private heartbeat: Heartbeat | undefined
  private base = 0
  private readonly before = requestsSoFar()

  constructor(
    private readonly shared: Shared,
    private readonly steps: Steps,
    private readonly emit: (event: RunEvent) => void,
    private readonly now: () => Date,
  ) {
    this.journal = new Journal(shared.storage)
  }

  /** Tells that the run starts, on a commit. */
  start(selected: readonly AnyDataset[], base: number): void {
    const { run, started } = this.shared
    const datasets = selected.map((d) => ({
      name: fullName(d),
      inputs: inputsOf(d).map(fullName),
    }))
    this.emit({ type: 'run-started', run, time: started.toISOString(), datasets })
    this.base = base
  }

  /** The run's folder in storage is made when the first step has something to do. */
  begin(): Promise<void> {
    const { run, author, storage, branch } = this.shared
    const started = this.shared.started.toISOString()
    const on = { commit: this.base, ...(branch === undefined ? {} : { branch }) }
    this.heartbeat ??= Heartbeat.ofRun(storage, { id: run, author, started, ...on })
    const { seen } = this.heartbeat
    this.begun ??= this.journal.begin(run, started).then(() => seen)
    return this.begun
  }

  /** Tells that the run has ended, and how. */
  async finish(): Promise<RunRecord> {
    await this.heartbeat?.stop()
    const record = this.record()
    this.emit({ type: 'run-finished', record })
    return record
  }

  /** A schedule that finds nothing to do a thousand times a day leaves nothing. */
  async keepRecord(): Promise<void> {
    const record = this.record()
    const idle = record.steps.every(({ outcome }) => outcome === 'unchanged')
    if (idle && record.outcome === 'done' && !this.begun) return
    await this.begin()
    await this.journal.end(record)
  }

  private record(): RunRecord {
    const { steps, failure } = this
    const { run, started, author, branch, signal } = this.shared
    return {
      format: 1,
      run,
      outcome: signal.aborted ? 'cancelled' : failure || steps.anyFailed ? 'failed' : 'done',
      started: started.toISOString(),
      finished: this.now().toISOString(),
      author,
      ...(branch === undefined ? {} : { branch }),
      steps: steps.results,
      commits: this.commits,
      ...(this.review ? { review: this.review } : {}),
      ...this.requests(),
      ...(Object.keys(this.rejected).length > 0 ? { rejected: Object.keys(this.rejected) } : {}),
      ...(failure ? { error: failure } : {}),
    }
  }

  /** What was asked of buckets since the run began. */
  private requests(): Pick<RunRecord, 'requests'> {
    const now = requestsSoFar()
    const puts = now.puts - this.before.puts
    const gets = now.gets - this.before.gets
    return puts + gets === 0 ? {} : { requests: { puts, gets } }
  }

  committed(commit: number, datasets: string[]): void {
    this.commits.push(commit)
    this.emit({ type: 'committed', commit, datasets })
  }
  /** What was built waits on a branch. */
  waiting(review: NonNullable<RunRecord['review']>): void {
    this.review = review
  }
}
