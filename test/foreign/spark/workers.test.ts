import { afterAll, beforeAll } from 'vitest'
import { Spark, type SparkSession } from '../../../src/engine/spark/spark.js'
import { SparkWorkers } from '../../../src/engine/spark/spark-workers.js'
import { workersSuite } from '../../contract/workers/suite.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { isDrawn, pythonOfSail, pythonOfSpark35, startSail } from './sparks.js'

/* Whoever schedules the tasks, workers hold what those of one machine do. */

function suiteOf(name: string, session: () => Promise<SparkSession>): void {
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
}

const local = (of: string | undefined) => async () => ({ python: of, master: 'local[2]', conf: {} })

if (isDrawn('Spark 4.1'))
  withService('Spark 4.1', [python], () => suiteOf('Spark 4.1 on this machine', local(python)))

if (isDrawn('Spark 3.5'))
  withService('Spark 3.5', [pythonOfSpark35], () =>
    suiteOf('Spark 3.5 on this machine', local(pythonOfSpark35)),
  )

if (isDrawn('Sail'))
  withService('Sail', [pythonOfSail], () => {
    let sail: Awaited<ReturnType<typeof startSail>> | undefined
    suiteOf('Sail, by Spark Connect', async () => {
      sail = await startSail()
      return { python: pythonOfSail, connect: sail.url, conf: {} }
    })
    afterAll(() => sail?.stop())
  })
