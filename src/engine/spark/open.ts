import { type SparkEngine, tasksHere, tasksThere } from '../../define/engines/spark.js'
import { limitOf } from '../../define/limits.js'
import { OwnSecrets } from '../../secrets.js'
import { variable } from '../../settings.js'
import type { Hello } from '../workers/protocol.js'
import type { Workers } from '../workers/workers.js'
import { clusterConf } from './conf.js'
import { Spark } from './spark.js'
import { SparkWorkers } from './spark-workers.js'

/** Bytes that a task on a cluster may use, where nobody says it. */
const MEMORY = 4 * 2 ** 30
/** What a worker needs beside its engine. */
const BESIDE = 400 * 2 ** 20

interface ForRun {
  hello: Hello
  /** What starts a worker on this machine. */
  command: readonly string[]
  /** Makes sure of what a worker looks for when it starts. */
  beforeStart: () => Promise<void>
  /** Ends a start that nobody waits for any more. */
  signal: AbortSignal
}

/** Starts Spark, or finds a cluster, for one run. */
export async function openSparkWorkers(
  engine: SparkEngine,
  { hello, command, beforeStart, signal }: ForRun,
): Promise<Workers> {
  const { master, connect = '', archive, python, host, tasks, attempts, cores = 1 } = engine
  const { waitForExecutors } = engine
  // What the client says of an address may have the token that it ends with.
  new OwnSecrets().hide(...connect.split(';').map((one) => /^token=(.*)$/s.exec(one)?.[1]))
  const isHere = tasksHere(engine) !== 0
  const isNear = isHere || (!archive && /^sc:\/\/(localhost|127\.0\.0\.1)\b/.test(connect))
  const memory = engine.memory ?? MEMORY
  // Within a program that Spark has started, executors are as whoever submitted it has said.
  const isWithin = variable('PYSPARK_GATEWAY_PORT') !== undefined
  const conf = { ...(isHere || isWithin ? {} : clusterConf(cores, memory)), ...engine.conf }
  const session = {
    master,
    connect: connect || undefined,
    archive: isHere ? undefined : archive,
    python,
    host,
    waitForExecutors: waitForExecutors === undefined ? undefined : limitOf(waitForExecutors),
    conf: connect ? (engine.conf ?? {}) : conf,
  }
  const opening = Spark.open(session, signal)
  const spark = await togetherWith(opening, beforeStart)
  const share = isHere ? {} : { memory: memory - BESIDE, threads: cores }
  return new SparkWorkersOfRun(spark, {
    hello: { ...hello, ...share },
    command: isNear ? command : undefined,
    // Executors of a cluster come later than the session: what it has by then is no limit.
    slots: isHere ? tasks : (tasks ?? Math.max(spark.slots, tasksThere(engine))),
    attempts,
  })
}

/** Spark takes long to start: what else takes long is done meanwhile. */
async function togetherWith(opening: Promise<Spark>, work: () => Promise<void>): Promise<Spark> {
  const [spark, done] = await Promise.allSettled([opening, work()])
  if (spark.status === 'rejected') throw spark.reason
  if (done.status === 'fulfilled') return spark.value
  await spark.value.close()
  throw done.reason
}

/** Ends the session with its workers. */
class SparkWorkersOfRun extends SparkWorkers {
  protected override async end(): Promise<void> {
    await this.spark.close()
  }
}
