import { randomBytes } from 'node:crypto'
import { filesToReread, sourcesNamed } from '../bronze/named-sources.js'
import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import type { AnyDataset } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import { Batches } from '../step/batches.js'
import { currentUser, type RunContext } from '../step/context.js'
import { Externals } from '../step/external/externals.js'
import { InThisThread } from '../step/javascript.js'
import { Relations } from '../step/relations.js'
import { tablesIn } from '../step/task/table-source.js'
import type { RunOptions } from './options.js'

/** What the steps of a run share whatever state of the lake they see. */
export type Shared = Omit<RunContext, 'relations'>

/** What the steps of a run that begins now share, as its options say. */
export function sharedOf(
  lake: Lake,
  datasets: readonly AnyDataset[],
  log: CommitLog,
  options: RunOptions,
  { started, signal }: Pick<Shared, 'started' | 'signal'>,
): Shared {
  const { storage, engine, onEvent = () => {} } = options
  return {
    lake,
    storage,
    log,
    branch: options.branch,
    engine,
    started,
    run: runId(started),
    author: options.author ?? currentUser(),
    signal,
    valuesFrom: options.valuesFrom ?? 1 << 20,
    rewriteUpTo: options.rewriteUpTo ?? 16 << 20,
    partBytes: options.partBytes ?? 128 << 20,
    quarantineAfter: lake.quarantineAfter,
    tryApart: options.tryApart,
    worker: options.worker,
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

/** `20261120T235959123Z-1a2b3c`: sorts by time. */
function runId(started: Date): string {
  const time = started.toISOString().replace(/[-:.]/g, '')
  return `${time}-${randomBytes(3).toString('hex')}`
}

/** A run's steps on a state of the lake. */
export function contextOn(
  shared: Shared,
  state: LakeState,
  { anew }: Pick<RunOptions, 'anew'>,
  externals = Externals.none,
): RunContext {
  const { storage } = shared
  const view = externals.on(withReadable(state, anew))
  const source = externals.source(tablesIn(storage))
  return { ...shared, relations: new Relations(storage, view, new Batches(storage), source) }
}

/** A state in which tables that can't be read are as they were before, or have never been there. */
export function withReadable(state: LakeState, anew: RunOptions['anew'] = new Map()): LakeState {
  if (anew.size === 0) return state
  const tables = Object.entries(state.tables).flatMap(([name, table]) => {
    const readable = anew.has(name) ? anew.get(name) : table
    return readable ? [[name, readable] as const] : []
  })
  return { ...state, tables: Object.fromEntries(tables) }
}
