/**
 * For a session that begins here: its queries are a few rows, which nothing needs to be compiled
 * for.
 */
const ours = {
  'spark.app.name': 'Moraine',
  'spark.sql.adaptive.enabled': 'false',
  'spark.sql.codegen.wholeStage': 'false',
  'spark.sql.codegen.factoryMode': 'NO_CODEGEN',
  'spark.sql.shuffle.partitions': '1',
  'spark.ui.showConsoleProgress': 'false',
  'spark.scheduler.mode': 'FAIR',
  // Texts of tasks may be long.
  'spark.rpc.message.maxSize': '1024',
  'spark.driver.maxResultSize': '0',
}

/** For one whose executors are threads of one process on this machine, whose work is Node's. */
const local = {
  'spark.ui.enabled': 'false',
  'spark.driver.host': '127.0.0.1',
  'spark.driver.bindAddress': '127.0.0.1',
  'spark.driver.memory': '512m',
  'spark.driver.extraJavaOptions': '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
}

interface Where {
  master?: string | undefined
  connect?: string | undefined
  host?: string | undefined
}

/** Settings of Spark for a session; what users say of it stands. */
export function confOf(
  { master, connect, host }: Where,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  if (connect) return { ...own }
  const here = master?.startsWith('local') ? local : {}
  return { ...ours, ...here, ...(host ? { 'spark.driver.host': host } : {}), ...own }
}

/**
 * For executors whose work is Node's, outside of the JVM: one task each.
 *
 * @param memory bytes for it.
 */
export function clusterConf(cores: number, memory: number): Record<string, string> {
  return {
    'spark.executor.cores': String(cores),
    'spark.task.cpus': String(cores),
    // A task that ends its executor is tried again by the run, which counts its attempts.
    'spark.task.maxFailures': '1',
    'spark.executor.memory': '512m',
    'spark.executor.memoryOverhead': `${Math.ceil(memory / 2 ** 20)}m`,
  }
}
