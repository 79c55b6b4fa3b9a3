import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endChild } from '../../../src/process/child.js'
import { sample } from '../../support/effort.js'
import { freePort } from '../../support/servers.js'
import { python } from '../readers.js'

/** The Python that has Spark 3.5, which is what Glue 5 has. */
export const pythonOfSpark35 = process.env.MORAINE_SPARK35

/** The Python that has Sail, and a client of Spark Connect without Java. */
export const pythonOfSail = process.env.MORAINE_SAIL

/** What schedules workers, of which each takes minutes. */
export type Scheduler = 'Spark 4.1' | 'Spark 3.5' | 'Sail' | 'Spark Connect'

/** Whose turn it is of those that a test knows: one of them, and all in a full run. */
export function drawnOf(...known: readonly [Scheduler, ...Scheduler[]]): ReadonlySet<Scheduler> {
  return new Set(sample(known, 1, 1))
}

/** Starts Sail, which speaks Spark Connect. */
export async function startSail(): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort()
  const program = join(dirname(pythonOfSail as string), 'sail')
  const server = spawn(program, ['spark', 'server', '--ip', '127.0.0.1', '--port', String(port)], {
    stdio: 'ignore',
  })
  await listening(port)
  return { url: `sc://127.0.0.1:${port}`, stop: () => endChild(server) }
}

/** Where the Spark 4.1 lies that can serve Spark Connect. */
export const sparkOfConnect = homesOf(python).find((home) =>
  readdirSync(join(home, 'jars')).some((name) => name.startsWith('spark-connect_')),
)

/** Spark as a package of a Python has it. */
function homesOf(program: string | undefined): string[] {
  const lib = join(dirname(dirname(program ?? '')), 'lib')
  const versions = program && existsSync(lib) ? readdirSync(lib) : []
  const homes = versions.map((version) => join(lib, version, 'site-packages/pyspark'))
  return homes.filter((home) => existsSync(join(home, 'jars')))
}

/** Starts Spark's own server of Spark Connect, as `start-connect-server.sh` does. */
export async function startConnect(): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort()
  const SPARK_HOME = sparkOfConnect as string
  const conf = {
    'spark.connect.grpc.binding.address': '127.0.0.1',
    'spark.connect.grpc.binding.port': String(port),
    'spark.ui.enabled': 'false',
    'spark.driver.extraJavaOptions': '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
  }
  const server = spawn(
    join(SPARK_HOME, 'bin/spark-submit'),
    [
      ...['--class', 'org.apache.spark.sql.connect.service.SparkConnectServer'],
      ...['--master', 'local[2]', '--driver-memory', '512m'],
      ...Object.entries(conf).flatMap(([name, value]) => ['--conf', `${name}=${value}`]),
    ],
    {
      stdio: 'ignore',
      env: {
        PATH: `${dirname(python as string)}:${process.env.PATH}`,
        SPARK_HOME,
        PYSPARK_PYTHON: python as string,
      },
    },
  )
  await listening(port)
  return { url: `sc://127.0.0.1:${port}`, stop: () => endChild(server) }
}

/** Waits until somebody listens at a port of this machine. */
export async function listening(port: number, host = '127.0.0.1'): Promise<void> {
  for (;;) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host, () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (isThere) return
    await sleep(50)
  }
}
