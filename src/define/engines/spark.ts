import { duration } from '../limits.js'
import { counting, object, text } from '../options/expected.js'
import { checked, type Expected, type OptionList } from '../options/options.js'
import { mistake } from '../problems/mistakes.js'
import { bytesOf } from '../size.js'

/** A cluster of Spark, which schedules workers. */
export interface SparkEngine extends Readonly<Omit<SparkOptions, 'memory'>> {
  readonly kind: 'engine'
  readonly engine: 'spark'
  /** Bytes that a task may use. */
  readonly memory: number | undefined
}

export interface SparkOptions {
  /**
   * Where a session of Spark is started: `local[2]` on this machine, `spark://host:7077`, `yarn` or
   * `k8s://…` on a cluster. Default: `local[*]`.
   */
  master?: string
  /**
   * The address of a cluster with Spark Connect, such as `sc://host:15002`, instead of `master`.
   */
  connect?: string
  /**
   * Tasks at the same time. Default: those of `local[n]`; on a cluster as many as `conf` says that
   * it has executors at most, or 4.
   */
  tasks?: number
  /** Cores of an executor, all of which one task has. Default: 1. */
  cores?: number
  /** Memory of an executor for its task, outside of the JVM. Default: `4GiB`. */
  memory?: string
  /**
   * The file that `moraine bundle --spark` has written, which brings Node and Moraine to executors:
   * a path on the machine of the run, or an address that Spark reads, such as `s3a://…`.
   */
  archive?: string
  /**
   * The Python that has pyspark. Default: `MORAINE_PYTHON`, `SPARK_HOME`, or the one on the PATH.
   */
  python?: string
  /**
   * The address of this machine, as executors reach it: by it they tell how far they are, and hear
   * that they are to end. Default: `spark.driver.host`.
   */
  host?: string
  /** Settings of Spark, such as `{ 'spark.executor.instances': '8' }`. */
  conf?: Readonly<Record<string, string>>
  /** Number of attempts for a step whose worker ends without an answer. Default: 3. */
  attempts?: number
  /**
   * How long a run waits while the cluster has no executor for it, such as `2m`, `1h` or `none`;
   * then its steps fail. Default: `10m`. With `connect` the cluster decides.
   */
  waitForExecutors?: string
}

const address = (is: string, pattern: RegExp): Expected => ({
  is,
  fits: (value) => typeof value === 'string' && pattern.test(value),
})

const sparkOptions: OptionList<SparkOptions> = {
  master: address(
    "a master of Spark, such as 'local[2]', 'spark://host:7077' or 'yarn'",
    /^(local(\[.+\])?|yarn|spark:\/\/.+|k8s:\/\/.+)$/,
  ),
  connect: address("an address such as 'sc://host:15002'", /^sc:\/\/.+/),
  tasks: counting,
  cores: counting,
  memory: {
    is: "a size of at least 1GiB, such as '4GiB'",
    fits: (value) => typeof value === 'string' && (bytesOf(value) ?? 0) >= 2 ** 30,
  },
  archive: text,
  python: text,
  host: text,
  conf: {
    is: "settings of Spark with their texts, such as { 'spark.executor.instances': '8' }",
    fits: (value) =>
      object.fits(value) && Object.values(value as object).every((one) => typeof one === 'string'),
  },
  attempts: counting,
  waitForExecutors: duration,
}

/**
 * Steps of silver and gold run on a cluster of Apache Spark, which schedules workers of Moraine's:
 * their rows are those of any other engine. Where the lake lies, executors must reach as well.
 *
 * @example defineLake({ name: 'shop', engine: spark({ master: 'local[2]' }), datasets: [daily] })
 */
export function spark(options: SparkOptions = {}): SparkEngine {
  const { memory, ...good } = checked<SparkOptions>('spark({ … })', options, sparkOptions)
  if (good.master && good.connect)
    mistake(
      'spark({ … }) has both master and connect',
      undefined,
      'Give master where a session is started, or connect for a cluster that serves Spark Connect.',
    )
  const where = good.connect ? {} : { master: good.master ?? 'local[*]' }
  return {
    kind: 'engine',
    engine: 'spark',
    ...good,
    ...where,
    memory: memory === undefined ? undefined : bytesOf(memory),
  }
}

/** `spark(local[2])`, without what may be secret of an address. */
export function sparkName({ master, connect = '' }: SparkEngine): string {
  return `spark(${master ?? connect.replace(/;.*/s, '')})`
}

/** Tasks that run on the machine of the run; `all` where it is one for each of its cores. */
export function tasksHere({ master = '' }: SparkEngine): number | 'all' {
  const [, count] = /^local(?:\[(\d+|\*)[^\]]*\])?$/.exec(master) ?? [undefined, '0']
  return count === '*' ? 'all' : Number(count ?? 1)
}

/** Where nobody says how many executors there are. */
const SOME = 4
/** Each executor has one task. */
const EXECUTORS = ['spark.executor.instances', 'spark.dynamicAllocation.maxExecutors']

/** Tasks at the same time on a cluster, whose executors come with the work. */
export function tasksThere({ tasks, conf = {} }: SparkEngine): number {
  const said = EXECUTORS.map((name) => Number(conf[name])).filter(Number.isInteger)
  return tasks ?? (said.length > 0 ? Math.max(1, ...said) : SOME)
}
