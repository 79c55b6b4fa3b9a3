import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { outlived, wouldLose } from '../bronze/expire-batches.js'
import { discover } from '../bronze/intake.js'
import { filesToReread, sourcesNamed } from '../bronze/named-sources.js'
import type { Intake, Offer } from '../bronze/offer.js'
import { quarantineResult, quarantineWarnings } from '../bronze/quarantine/told.js'
import { heldResult } from '../bronze/shrink.js'
import { fullName } from '../define/dataset.js'
import { checkedAgainst, inputsOf } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import { limitOf } from '../define/limits.js'
import type { AnyDataset, Bronze, Gold, Silver } from '../define/model.js'
import { thousands } from '../define/thousands.js'
import type { Engine } from '../engine/engine.js'
import { buildGold } from '../gold/build.js'
import { buildView } from '../gold/view.js'
import type { LakeState, TableState } from '../log/commit.js'
import { refuseWriting } from '../log/features.js'
import { Heartbeat } from '../log/live.js'
import { type CommitFiles, CommitLog } from '../log/log.js'
import { definitionOf, lakeDefinition } from '../plan/fingerprint.js'
import { select } from '../plan/graph.js'
import { decide, decideIntake, offsetsOn, type View } from '../plan/plan.js'
import { Pool } from '../process/pool.js'
import { buildSilver } from '../silver/build.js'
import { type Replay, replayDiscarded } from '../silver/replay.js'
import { Databases } from '../source/database/open.js'
import { Batches } from '../step/batches.js'
import type { BuildOutcome, Built } from '../step/built.js'
import { currentUser, hash, type RunContext, type TryApart } from '../step/context.js'
import { stillAtWork } from '../step/deadline.js'
import type { RunEvent, RunRecord, StepResult } from '../step/events.js'
import { InThisThread, type JavaScript } from '../step/javascript.js'
import { branchOf, Journal } from '../step/journal.js'
import { keepProfiles } from '../step/profile.js'
import { Relations } from '../step/relations.js'
import { expireRows } from '../step/retention.js'
import { damageIn } from '../storage/damage.js'
import type { Storage } from '../storage/storage.js'
import type { Wanted } from './bind.js'
import { bindNew, newSql, type SqlLeft, stillWanted } from './bind-new.js'
import { olderDefinition } from './older-definition.js'
import { isProved, proveDefinition } from './prove-sql.js'
import { publishable } from './publish.js'
import { describeError, StepFailure, Steps } from './steps.js'

export interface RunOptions {
  storage: Storage
  engine: Engine
  /** Selectors as on the command line; all datasets without them. */
  select?: readonly string[]
  /** Read rows of databases with cursors from one value up to another again. */
  backfill?: { from: string; until: string }
  /** Build selected tables from all of their inputs again. */
  full?: boolean
  /** Tables that are made as if there had been none before, as their metadata are damaged. */
  anew?: readonly string[]
  /** Whether databases that feed inboxes are asked for rows; `true`. */
  feeds?: boolean
  /** Build tables from all rows that there are, also where their inputs do not have all of them any more. */
  allowLoss?: boolean
  /** Datasets whose full extracts may have far fewer rows than before: what was held back of them is taken. */
  acceptShrink?: readonly string[]
  /** Datasets whose files are read again, all of them, as their definition says now. */
  reread?: readonly string[]
  /** Rows of each bronze input that silver reads at most, to try a definition out. */
  sample?: number
  /**
   * The engine is for this run alone: once sources are read, it can open nothing but the lake, and is of no use for
   * another one.
   */
  ownEngine?: boolean
  /** Judge discarded rows of a silver dataset again, rather than to read new ones. */
  replay?: Replay
  /** Build also by a definition that another one has taken the place of since: this one is wanted again. */
  acceptDefinition?: boolean
  /** Let columns change in ways that break what reads the tables. */
  allowBreaking?: boolean
  /** Milliseconds of work from which a step's result is kept for a run that has to go on; 500. */
  keepAfter?: number
  /** Bytes of source files from which on values are kept rather than texts, where silver reads them so; 1 MiB. */
  valuesFrom?: number
  /**
   * Bytes of a table's files up to which replaced rows have their files written again; beyond it files in which
   * few rows are replaced stay, with lists of deleted rows. 16 MiB.
   */
  rewriteUpTo?: number
  /** Bytes of a database's table that are read as one part; 128 MiB. */
  partBytes?: number
  /** Who runs the JavaScript of schemas; this thread when nobody is named. */
  javascript?: JavaScript
  /** Reads objects at which processes ended; see {@link RunContext}. */
  tryApart?: TryApart
  /**
   * Datasets whose steps went on in this process when they should have ended: they are not built. The run adds to them. For
   * processes that live on.
   */
  leftBehind?: Set<string>
  signal?: AbortSignal
  author?: string
  onEvent?: (event: RunEvent) => void
  now?: () => Date
}

/**
 * Brings a lake up to date: takes in what sources offer (each batch its own commit), then builds
 * what that changes, and publishes all that passed in one commit.
 *
 * Failures of single steps are told by the record; only what keeps the run from starting is thrown.
 */
export async function runLake(lake: Lake, options: RunOptions): Promise<RunRecord> {
  const log = new CommitLog(options.storage)
  await log.probe()
  const datasets = select(lake, options.select ?? [])
  const begun = await log.head()
  refuseWriting(begun)
  log.definition = lakeDefinition(lake.datasets, hash).slice(0, 16)
  return new Run(lake, datasets, log, options).execute(begun)
}

/** `20261120T235959123Z-1a2b3c`: sorts by time. */
function runId(started: Date): string {
  const time = started.toISOString().replace(/[-:.]/g, '')
  return `${time}-${randomBytes(3).toString('hex')}`
}

/** Milliseconds. */
const WORTH_KEEPING = 500

function readsBronzeAlone(dataset: AnyDataset): boolean {
  return [...inputsOf(dataset), ...checkedAgainst(dataset)].every(({ tier }) => tier === 'bronze')
}

/** Whether several runs may empty or read the same place, each of them knowing it by looking. */
function isSharedPlace({ from }: Bronze): boolean {
  return from.kind === 'inbox' || from.kind === 'ingest' || from.kind === 'files'
}

/** What a run took over from another was written at any time. */
function filesOf(built: readonly BuildOutcome[]): CommitFiles {
  return built.some(({ resumed }) => resumed) ? { since: new Date(0) } : {}
}

/** One run: its steps, its commits, and what is told about them. */
class Run {
  private readonly emit: (event: RunEvent) => void
  private readonly now: () => Date
  private readonly shared: Omit<RunContext, 'relations'>
  private readonly steps: Steps
  private readonly journal: Journal
  private readonly commits: number[] = []
  private readonly rejected: Record<string, TableState> = {}
  private failure: RunRecord['error']
  private begun: Promise<void> | undefined
  private heartbeat: Heartbeat | undefined
  private base = 0

  constructor(
    private readonly lake: Lake,
    private readonly datasets: readonly AnyDataset[],
    private readonly log: CommitLog,
    private readonly options: RunOptions,
  ) {
    const { storage, engine, onEvent = () => {}, now = () => new Date() } = options
    const started = now()
    this.emit = (event) => {
      // What goes wrong with it is told at the end.
      if (event.type === 'step-started') this.begin().catch(() => {})
      onEvent(event)
    }
    this.now = now
    this.steps = new Steps(this.emit, options.signal, (error) => damageIn(error, storage) ?? error)
    this.journal = new Journal(storage)
    this.shared = {
      lake,
      storage,
      log,
      engine,
      started,
      run: runId(started),
      author: options.author ?? currentUser(),
      signal: this.steps.signal,
      valuesFrom: options.valuesFrom ?? 1 << 20,
      rewriteUpTo: options.rewriteUpTo ?? 16 << 20,
      partBytes: options.partBytes ?? 128 << 20,
      quarantineAfter: lake.quarantineAfter,
      tryApart: options.tryApart,
      javascript: options.javascript ?? new InThisThread(),
      allowBreaking: options.allowBreaking ?? false,
      acceptShrink: new Set(
        sourcesNamed('--accept-shrink', options.acceptShrink ?? [], datasets).map(fullName),
      ),
      reread: filesToReread(options.reread ?? [], datasets),
      sample: options.sample,
      progress: (dataset, how) => onEvent({ type: 'step-progress', dataset, ...how }),
    }
  }

  async execute(begun: LakeState): Promise<RunRecord> {
    const { run, started } = this.shared
    const datasets = this.datasets.map((d) => ({
      name: fullName(d),
      inputs: inputsOf(d).map(fullName),
    }))
    this.emit({ type: 'run-started', run, time: started.toISOString(), datasets })
    this.base = begun.number
    try {
      const left = await this.bind(begun)
      const base = await this.intake(this.contextOn(begun), begun)
      // What the columns of these rows show to be wrong is found before any table is built.
      await this.bound(left, base, () => false)
      const { engine, storage } = this.shared
      if (this.options.ownEngine) await engine.confine([storage.url])
      const built = await this.build(this.contextOn(base))
      try {
        await this.publish(base, built)
      } finally {
        await this.keepRejected(base, built)
      }
      await this.lookAtRows(base, built)
      await this.letGo()
    } catch (error) {
      this.failure = describeError(error)
    }
    // A record that can't be kept is told, but it is no reason to hide what happened.
    await this.keepRecord().catch((error) => {
      this.failure ??= describeError(error)
    })
    await this.heartbeat?.stop()
    const record = this.record()
    this.emit({ type: 'run-finished', record })
    return record
  }

  /** Binds all SQL that is new, before anything is done; returns what depends on rows that may be about to arrive. */
  private async bind(view: LakeState): Promise<ReadonlyMap<AnyDataset, Wanted>> {
    const wanted = newSql(this.datasets, view)
    const arriving = (dataset: Bronze) => this.datasets.includes(dataset)
    const left = await this.bound(wanted, view, arriving)
    return left ? stillWanted(left, wanted) : wanted
  }

  private async bound(
    wanted: ReadonlyMap<AnyDataset, Wanted>,
    view: LakeState,
    arriving: (dataset: Bronze) => boolean,
  ): Promise<SqlLeft | undefined> {
    if (wanted.size === 0) return undefined
    const { engine, storage } = this.shared
    const session = await engine.open()
    try {
      return await bindNew(session, wanted, view, new Batches(storage), arriving)
    } finally {
      session.close()
    }
  }

  /** The run's folder in storage is made when the first step has something to do. */
  private begin(): Promise<void> {
    const { run, author, storage } = this.shared
    const started = this.shared.started.toISOString()
    this.heartbeat ??= Heartbeat.ofRun(storage, { id: run, author, started, commit: this.base })
    const { seen } = this.heartbeat
    this.begun ??= this.journal.begin(run, started).then(() => seen)
    return this.begun
  }

  /** A schedule that finds nothing to do a thousand times a day leaves nothing. */
  private async keepRecord(): Promise<void> {
    const record = this.record()
    const idle = record.steps.every(({ outcome }) => outcome === 'unchanged')
    if (idle && record.outcome === 'done' && !this.begun) return
    await this.begin()
    await this.journal.end(record)
  }

  private contextOn(state: LakeState): RunContext {
    // What can't be read is made as if it had never been there.
    const { anew = [] } = this.options
    const tables = Object.entries(state.tables).filter(([name]) => !anew.includes(name))
    const view = anew.length > 0 ? { ...state, tables: Object.fromEntries(tables) } : state
    return { ...this.shared, relations: new Relations(this.shared.storage, view) }
  }

  private record(): RunRecord {
    const { steps, failure } = this
    const { run, started, author, signal } = this.shared
    return {
      format: 1,
      run,
      outcome: signal.aborted ? 'cancelled' : failure || steps.anyFailed ? 'failed' : 'done',
      started: started.toISOString(),
      finished: this.now().toISOString(),
      author,
      steps: steps.results,
      commits: this.commits,
      ...(Object.keys(this.rejected).length > 0 ? { rejected: Object.keys(this.rejected) } : {}),
      ...(failure ? { error: failure } : {}),
    }
  }

  private committed(commit: number, datasets: string[]): void {
    this.commits.push(commit)
    this.emit({ type: 'committed', commit, datasets })
  }

  /** Takes in all selected sources; returns the state with their batches. */
  private async intake(context: RunContext, begun: LakeState): Promise<LakeState> {
    const pool = new Pool(availableParallelism())
    const bronze = this.datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
    await using databases = Databases.of(bronze)
    const { backfill, feeds } = this.options
    const look = (dataset: Bronze, state = begun) =>
      discover(dataset, state, context.relations.batches, databases, {
        backfill,
        feeds,
        reread: context.reread.has(fullName(dataset)),
      })
    // Where a source can't be looked at, its step tries again and tells why.
    const offers = await Promise.all(
      bronze.map(async (dataset) => ({
        dataset,
        offer: await look(dataset).catch(() => undefined),
      })),
    )
    const bytes = ({ offer }: (typeof offers)[number]) =>
      offer && 'bytes' in offer.discovery ? offer.discovery.bytes : 0
    const one = ({ dataset, offer }: (typeof offers)[number]) => {
      let attempts = 0
      return this.steps.run(fullName(dataset), async (begin) => {
        // What was there may have been ingested by another run meanwhile.
        const again = attempts++ > 0 && isSharedPlace(dataset)
        const state = again ? await this.log.head() : begun
        const found = again ? undefined : offer
        return this.intakeOne(context, dataset, state, found ?? (await look(dataset, state)), begin)
      })
    }
    // The largest first, so that no long one is left alone at the end.
    const ordered = offers.sort((a, b) => bytes(b) - bytes(a))
    await Promise.all(ordered.map((offered) => pool.run(() => one(offered))))
    return this.log.head()
  }

  private async intakeOne(
    context: RunContext,
    dataset: Bronze,
    begun: LakeState,
    { discovery, take }: Offer,
    begin: (reason: string) => void,
  ): Promise<Partial<StepResult>> {
    const decision = decideIntake(discovery)
    const told = discovery.notes ?? []
    const quarantine = (state: LakeState, taken?: Intake) =>
      quarantineResult(fullName(dataset), state, taken?.setAside ?? [])
    if (decision.action === 'none')
      return {
        outcome: 'unchanged',
        reason: decision.reason,
        notes: [...told],
        ...quarantine(begun),
      }
    begin(decision.reason)
    // What it claims is its own as long as it is heard of.
    await this.begin().catch(() => {})
    const taken = await take(context, begun)
    const { rows, broken, bytes, commits } = taken
    const notes = [...told, ...taken.notes]
    for (const commit of commits) this.committed(commit, [fullName(dataset)])
    if (taken.held) return heldResult(fullName(dataset), taken.held)
    const set = quarantine(taken.state, taken)
    const warnings = [...(taken.warnings ?? []), ...quarantineWarnings(set)]
    const warned = { ...(warnings.length > 0 ? { sourceWarnings: warnings } : {}), ...set }
    if (taken.files === 0)
      return {
        outcome: 'unchanged',
        reason: notes.join(', ') || 'nothing could be read',
        ...warned,
      }
    const records = broken === 1 ? '1 record' : `${thousands(broken)} records`
    const split = broken > 0 ? [`${records} could not be split into columns`] : []
    return { rows, bytes, files: taken.files, notes: [...notes, ...split], ...warned }
  }

  /** Builds silver and gold as the graph allows; a failed step stops only what depends on it. */
  private async build(context: RunContext): Promise<BuildOutcome[]> {
    const pool = new Pool(availableParallelism())
    const built: BuildOutcome[] = []
    const finished = new Map<AnyDataset, Promise<void>>()
    const one = async (dataset: Silver | Gold) => {
      const inputs = inputsOf(dataset)
      const first = [...inputs, ...checkedAgainst(dataset)]
      await Promise.all(first.map((input) => finished.get(input)))
      const broken = inputs.find((input) => this.steps.stopped(fullName(input)))
      if (broken) return this.steps.blocked(fullName(dataset), fullName(broken))
      await pool.run(() => this.buildOne(context, dataset, built))
    }
    // The largest first, as far as the graph allows.
    const rowsIn = (dataset: AnyDataset) =>
      inputsOf(dataset)
        .flatMap((input) => context.relations.view.batches[fullName(input)] ?? [])
        .reduce((sum, batch) => sum + batch.rows, 0)
    const tables = this.datasets.filter((d): d is Silver | Gold => d.tier !== 'bronze')
    const heavy = tables.filter((d) => d.tier === 'silver').sort((a, b) => rowsIn(b) - rowsIn(a))
    const order = [...heavy.filter(readsBronzeAlone), ...tables]
    for (const dataset of new Set(order)) finished.set(dataset, one(dataset))
    await Promise.all(finished.values())
    return built
  }

  private async buildOne(
    context: RunContext,
    dataset: Silver | Gold,
    built: BuildOutcome[],
  ): Promise<void> {
    const time = limitOf(this.lake.steps.timeout ?? 'none')
    await this.steps.run(
      fullName(dataset),
      (begin, signal) => this.compute({ ...context, signal }, dataset, built, begin),
      { time, left: () => this.options.leftBehind?.add(fullName(dataset)) },
    )
  }

  private async compute(
    context: RunContext,
    dataset: Silver | Gold,
    built: BuildOutcome[],
    begin: (reason: string) => void,
  ): Promise<Partial<StepResult>> {
    const { view } = context.relations
    if (this.options.replay?.dataset === fullName(dataset))
      return this.replayOne(context, dataset as Silver, this.options.replay, built, begin)
    const { started: now } = this.shared
    const decision = decide(dataset, view, { full: this.options.full ?? false, hash, now })
    if (decision.action !== 'build') return { outcome: 'unchanged', reason: decision.reason }
    begin(decision.reason)
    if (this.options.leftBehind?.has(fullName(dataset))) throw stillAtWork()
    await this.prove(dataset)
    const older = this.options.acceptDefinition ? undefined : olderDefinition(dataset, view, hash)
    if (older) throw older
    if (decision.lost && !this.options.allowLoss) throw wouldLose(dataset, decision.lost)
    const work = this.workKey(dataset, view)
    const start = performance.now()
    const found = await this.journal.resumable(work)
    const kept = found && (await this.log.hasFiles(view, found.tables)) ? found : undefined
    const made: Built =
      kept ??
      (await (decision.expires
        ? expireRows(context, dataset)
        : dataset.tier === 'silver'
          ? buildSilver(context, dataset, decision)
          : dataset.view
            ? buildView(context, dataset)
            : buildGold(context, dataset, decision)))
    const { tables, views, result, failure, written } = made
    this.refuseLate(context)
    if (failure) {
      Object.assign(this.rejected, tables)
      throw new StepFailure(failure, result)
    }
    // What takes no time is sooner done again than kept.
    const { keepAfter = WORTH_KEEPING } = this.options
    if (!kept && !views && performance.now() - start >= keepAfter) {
      await this.begin()
      await this.journal.keep(this.shared.run, fullName(dataset), { work, tables, result })
    }
    this.refuseLate(context)
    for (const [table, state] of Object.entries(tables)) context.relations.stage(table, state)
    built.push({ dataset, tables, views, view, written, resumed: kept !== undefined })
    return kept
      ? { ...result, notes: [...(result.notes ?? []), `kept from run ${kept.run}`] }
      : result
  }

  /** A step that took too long has failed, also where it was left behind and has a result after all. */
  private refuseLate({ signal }: RunContext): void {
    if (!this.shared.signal.aborted) signal.throwIfAborted()
  }

  /** Proves SQL of which the log says nothing: what was built before may be by another program. */
  private async prove(dataset: Silver | Gold): Promise<void> {
    if (isProved(dataset)) return
    const session = await this.shared.engine.open()
    try {
      await proveDefinition(session, dataset)
    } finally {
      session.close()
    }
  }

  private async replayOne(
    context: RunContext,
    dataset: Silver,
    replay: Replay,
    built: BuildOutcome[],
    begin: (reason: string) => void,
  ): Promise<Partial<StepResult>> {
    begin('its discarded rows are judged again')
    await this.prove(dataset)
    const { view } = context.relations
    const made = await replayDiscarded(context, dataset, replay)
    if (!made)
      return { outcome: 'unchanged', reason: 'none of its discarded rows would end elsewhere now' }
    if (made.failure) {
      Object.assign(this.rejected, made.tables)
      throw new StepFailure(made.failure, made.result)
    }
    this.refuseLate(context)
    for (const [table, state] of Object.entries(made.tables)) context.relations.stage(table, state)
    const offsets = view.offsets[fullName(dataset)] ?? {}
    built.push({ dataset, tables: made.tables, view, offsets, written: made.written })
    return made.result
  }

  /** What a step's result depends on: the same key means that it need not be computed again. */
  private workKey(dataset: Silver | Gold, view: View): string {
    const name = fullName(dataset)
    const before = view.tables[name]?.metadata ?? null
    const parts = [
      name,
      definitionOf(dataset, hash),
      offsetsOn(dataset, view),
      before,
      dataset.keep ?? null,
      // A number may stand for another batch after a rollback, and for none after a discard.
      ...inputsOf(dataset)
        .flatMap((input) => view.batches[fullName(input)] ?? [])
        .map(({ manifest }) => manifest),
    ]
    return hash(JSON.stringify([...parts, this.options.full ?? false]))
  }

  /** Lets old batches go that all readers have read. */
  private async letGo(): Promise<void> {
    const { lake, storage, log, author, run, signal } = this.shared
    const kept = this.datasets.filter(
      (d): d is Bronze => d.tier === 'bronze' && d.keep !== undefined,
    )
    if (kept.length === 0 || signal.aborted) return
    const state = await log.head()
    const forget = await outlived(kept, lake, state, new Batches(storage), this.now())
    const names = Object.keys(forget)
    if (names.length === 0) return
    const message = `let old batches of ${names.join(', ')} go`
    const { number } = await log.commit(state, { forget }, { author, run, message })
    this.committed(number, names)
  }

  /** What rows are like is worth to know, but it is no reason for a run to fail. */
  private async lookAtRows(base: LakeState, built: readonly BuildOutcome[]): Promise<void> {
    if (this.shared.signal.aborted) return
    await keepProfiles(this.contextOn(base), built).catch(() => {})
  }

  /** What was built but may not be seen yet lies on a branch of its own, for those who want to look. */
  private async keepRejected(base: LakeState, built: readonly BuildOutcome[]): Promise<void> {
    if (Object.keys(this.rejected).length === 0) return
    const { author, run } = this.shared
    const branch = await this.log.fork(branchOf(run), base)
    const { tables } = publishable(built)
    const message = 'not published: checks do not hold'
    const changes = { tables: { ...tables, ...this.rejected } }
    await branch.commit(await branch.head(), changes, { author, run, message }, filesOf(built))
  }

  /** One commit with all that passed. */
  private async publish(base: LakeState, built: readonly BuildOutcome[]): Promise<void> {
    const { author, run, signal } = this.shared
    if (built.length === 0 || signal.aborted) return
    if (this.lake.publish === 'all' && this.steps.anyFailed) return
    const names = built.map(({ dataset }) => fullName(dataset))
    const message = `build ${names.length === 1 ? names[0] : `${names.length} tables`}`
    const state = await this.log.commit(
      base,
      publishable(built),
      { author, run, message },
      filesOf(built),
    )
    this.committed(state.number, names)
  }
}
