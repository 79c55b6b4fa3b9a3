import { fullName } from '../../define/dataset.js'
import { Lakehouse } from '../../load/lakehouse.js'
import { Threads } from '../../load/threads.js'
import { trialsOf } from '../../load/trial.js'
import { loadCopy } from '../../load/workers/definition-file.js'
import { StepEngines } from '../../load/workers/step-engines.js'
import type { RunRecord } from '../../step/events.js'
import type { FunctionLake } from '../lambda/function-lake.js'
import { requestNext } from '../lambda/go-on.js'
import { tell } from '../lambda/log.js'
import { reportRun } from '../lambda/report.js'
import { fetchSecrets } from '../lambda/secrets.js'
import { tellStep } from '../lambda/tell-step.js'
import { deployedJobs } from '../template/jobs.js'
import { needed, noJob, ownCopy, sparkOf } from './given.js'

/** Runs that one program makes at most after its first. */
const MOST_MORE = 20

/**
 * Runs a job of a lake within a program that Spark has started, such as a job of Glue: `runner.py`
 * has put its arguments into the environment. Intake is this process's, silver and gold are
 * Spark's.
 */
export async function runSparkJob(signal: AbortSignal): Promise<RunRecord> {
  await fetchSecrets()
  const root = needed('MORAINE_ROOT')
  const file = await ownCopy(needed('MORAINE_DEFINITION'))
  const lake = await loadCopy(file)
  const jobs = deployedJobs(lake)
  const name = needed('MORAINE_JOB')
  const job = jobs.find((one) => one.name === name) ?? noJob(name, jobs)
  const house = Lakehouse.at(root)
  const instead = sparkOf()
  const { storage } = house
  const javascript = new Threads(file, { isLaid: true })
  const { memory = 0 } = instead
  const log = (text: string) => tell('info', { event: 'worker', job: name, message: text })
  try {
    await using steps = new StepEngines({ lake, file, isCopy: true, storage, instead, memory, log })
    tell('info', { event: 'job started', job: name, cause: 'spark' })
    const of: FunctionLake = { lake, house, jobs, file, javascript }
    const run = async () => {
      // A run confines its engine to what it found.
      const engine = await house.startEngine()
      const running = house.run(lake, {
        engine,
        ownEngine: true,
        javascript,
        tryApart: trialsOf({ file, root: storage.address ?? storage.url, isLaid: true }),
        select: job.datasets.map(fullName),
        author: 'aws-glue',
        signal,
        worker: steps.carryOut,
        stepsAtOnce: steps.atOnce,
        elsewhere: steps.elsewhere,
        onEvent: (event) => tellStep(job, event),
      })
      const record = await running.finally(() => engine.close())
      await reportRun(lake, job, record)
      await requestNext(of, job, record)
      return record
    }
    let record = await run()
    // What has arrived meanwhile is cheaper to build here than by another run of Glue.
    for (let more = 0; more < MOST_MORE && record.commits.length > 0; more++) {
      if (record.outcome !== 'done') break
      record = await run()
    }
    return record
  } finally {
    await javascript.close()
  }
}
