import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Spark, type SparkSession } from '../../../src/engine/spark/spark.js'
import { SparkWorkers } from '../../../src/engine/spark/spark-workers.js'
import type { WorkerEvent } from '../../../src/engine/workers/workers.js'
import { hello, program, workersSuite } from '../../contract/workers/suite.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { drawnOf, pythonOfSail, pythonOfSpark35, startSail } from './sparks.js'

/* Whoever schedules the tasks, workers hold what those of one machine do. */

function suiteOf(name: string, session: () => Promise<SparkSession>, cores?: number): void {
  let spark: Spark
  beforeAll(async () => {
    spark = await Spark.open(await session())
  })
  afterAll(() => spark?.close())
  workersSuite({
    name,
    open: async (wanted) => new SparkWorkers(spark, wanted),
    ahead: 128,
  })

  if (cores === undefined) return
  it('it is told where a job waits for room', async () => {
    const command = [process.execPath, program, '{}']
    // A job more than there are cores.
    const slots = cores + 1
    const workers = new SparkWorkers(spark, { hello, command, slots, silence: 2500 })
    onTestFinished(() => workers.close())
    const tasks = Array.from({ length: slots }, (_, i) => ({ id: `t${i}`, text: '{"wait":5000}' }))
    const told: string[] = []
    const onEvent = (event: WorkerEvent) => event.type === 'log' && told.push(event.text)
    const done: string[] = []
    for await (const one of workers.map(tasks, { signal: new AbortController().signal, onEvent }))
      if ('reply' in one) done.push(one.id)
    expect(done.sort()).toEqual(tasks.map(({ id }) => id))
    expect(told).toContainEqual(
      expect.stringContaining('Spark has begun no task of a job for 2.5 s'),
    )
  })
}

const local = (of: string | undefined) => async () => ({ python: of, master: 'local[2]', conf: {} })

const drawn = drawnOf('Spark 4.1', 'Spark 3.5', 'Sail')
if (drawn.has('Spark 4.1'))
  withService('Spark 4.1', [python], () => suiteOf('Spark 4.1 on this machine', local(python), 2))

if (drawn.has('Spark 3.5'))
  withService('Spark 3.5', [pythonOfSpark35], () =>
    suiteOf('Spark 3.5 on this machine', local(pythonOfSpark35), 2),
  )

if (drawn.has('Sail'))
  withService('Sail', [pythonOfSail], () => {
    let sail: Awaited<ReturnType<typeof startSail>> | undefined
    suiteOf('Sail, by Spark Connect', async () => {
      sail = await startSail()
      return { python: pythonOfSail, connect: sail.url, conf: {} }
    })
    afterAll(() => sail?.stop())
  })
