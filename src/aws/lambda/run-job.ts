import { fullName } from '../../define/dataset.js'
import { trialsOf } from '../../load/trial.js'
import { lineageTarget, OpenLineage } from '../../run/openlineage.js'
import { isPaused } from '../../schedule/leases.js'
import { abortController } from '../../signals.js'
import type { StepWorker } from '../../step/context.js'
import type { RunRecord } from '../../step/events.js'
import { trimUnused } from '../../storage/s3/cache.js'
import type { FunctionLake } from './function-lake.js'
import type { FunctionJob } from './jobs.js'
import { type LargeStep, roomOf, stepsThatFit } from './large-steps.js'
import { tell } from './log.js'
import type { JobRequest } from './messages.js'
import { isLasting, kindsOf, reportRun } from './report.js'
import { glueJob } from './start-spark.js'
import { tellStep } from './tell-step.js'

/** What Lambda says of an invocation. */
export interface FunctionContext {
  getRemainingTimeInMillis(): number
}

/** How an invocation's work on a job ended. */
export type JobEnd =
  | { kind: 'paused' }
  /** `isRepeated`: attempts before it, which a conflict ended, may have changed something. */
  | (Ended & { isRepeated: boolean })

type Ended =
  /** There is nothing left to do. */
  | { kind: 'done'; record: RunRecord }
  /** Time was up: what is left goes on in another invocation. */
  | { kind: 'later'; record: RunRecord }
  /** It left out steps that are too large for a function. */
  | { kind: 'large'; record: RunRecord; steps: readonly LargeStep[] }
  /** It failed by something that may pass. */
  | { kind: 'again'; record: RunRecord }
  /** It failed by something that stays until somebody does something about it. */
  | { kind: 'failed'; record: RunRecord }

/** Attempts of one invocation where another run was quicker. */
const ATTEMPTS = 3
/** What is left to stop a run in: a part of the invocation's time, in milliseconds. */
const MARGIN = { part: 0.15, least: 2_000, most: 45_000 }

/** Runs a job for as long as the invocation may last. */
export async function runJob(
  of: FunctionLake,
  job: FunctionJob,
  request: JobRequest,
  context: FunctionContext,
): Promise<JobEnd> {
  if (await isPaused(of.house.storage, job.name)) return { kind: 'paused' }
  // A warm function has the copies of all its runs before.
  await trimUnused()
  const left = context.getRemainingTimeInMillis()
  const margin = Math.min(Math.max(left * MARGIN.part, MARGIN.least), MARGIN.most)
  const stop = abortController()
  const timer = setTimeout(() => stop.abort(), Math.max(0, left - margin))
  try {
    for (let attempt = 1; ; attempt++) {
      const large: LargeStep[] = []
      const room = () => roomOf(context.getRemainingTimeInMillis() - margin)
      const worker = glueJob() === undefined ? undefined : stepsThatFit(large, room)
      const record = await runOnce(of, job, request, { signal: stop.signal, worker })
      const kinds = kindsOf(record)
      const end = endOf(record, stop.signal.aborted)
      const isConflict = kinds.length > 0 && kinds.every((kind) => kind === 'conflict')
      const isBeaten = large.length === 0 && end.kind === 'again' && isConflict
      if (isBeaten && attempt < ATTEMPTS) {
        await reportRun(of.lake, job, record, { repeated: 'another run was quicker' })
        continue
      }
      // What another one builds has not failed.
      const isLeft = (dataset: string) => large.some((step) => step.dataset === dataset)
      const failed = record.steps.filter(({ error, dataset }) => error && !isLeft(dataset))
      const isLarge = large.length > 0
      await reportRun(of.lake, job, record, {
        ...(isLarge && failed.length === 0
          ? { repeated: 'a job of Glue builds what is left' }
          : {}),
        // That does all of it once more.
        comesAgain:
          isLarge || end.kind === 'later' || (end.kind === 'again' && !!request.triesLeft),
      })
      const isRepeated = attempt > 1
      if (isLarge) return { kind: 'large', record, steps: large, isRepeated }
      return { ...end, isRepeated }
    }
  } finally {
    clearTimeout(timer)
  }
}

function endOf(record: RunRecord, isLate: boolean): Ended {
  if (record.outcome === 'done') return { kind: 'done', record }
  if (isLate) return { kind: 'later', record }
  return { kind: isLasting(record) ? 'failed' : 'again', record }
}

/** No name at all would be all of the lake's. */
function selected({ datasets }: FunctionJob, intake: boolean): FunctionJob['datasets'] {
  const built = datasets.filter(({ tier }) => tier !== 'bronze')
  return intake || built.length === 0 ? datasets : built
}

interface Attempt {
  signal: AbortSignal
  worker: StepWorker | undefined
}

async function runOnce(
  { lake, house, javascript, file }: FunctionLake,
  job: FunctionJob,
  { cause, turn, intake = true }: JobRequest,
  { signal, worker }: Attempt,
): Promise<RunRecord> {
  const { storage } = house
  tell('info', { event: 'job started', job: job.name, cause, turn })
  const target = lineageTarget()
  const lineage = target && new OpenLineage(target, { name: lake.name, url: storage.url })
  const engine = await house.startEngine()
  try {
    const record = await house.run(lake, {
      engine,
      ownEngine: true,
      javascript,
      tryApart: trialsOf({ file, root: storage.address ?? storage.url, isLaid: true }),
      select: selected(job, intake).map(fullName),
      // Files that arrive are no reason to ask databases sooner than they are scheduled.
      feeds: cause !== 'event',
      author: 'aws-lambda',
      signal,
      ...(worker ? { worker, elsewhere: () => false } : {}),
      onEvent: (event) => {
        tellStep(job, event)
        lineage?.event(event)
      },
    })
    const problem = await lineage?.close()
    if (problem) tell('warn', { event: 'warning', job: job.name, message: problem })
    return record
  } finally {
    await engine.close()
  }
}
