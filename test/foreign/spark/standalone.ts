import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { endChild } from '../../../src/process/child.js'
import { ended, processesBelow } from '../../support/processes.js'
import { repository, temporaryFolder } from '../../support/project.js'
import { freePort } from '../../support/servers.js'
import { python } from '../readers.js'
import { listening } from './sparks.js'

/** A part of Spark by its class, such as `worker.Worker`. */
export interface SparkPart {
  name: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
  /** What starts it: a namespace of its own, say. */
  within?: readonly string[]
}

/** Starts a part of a cluster, which ends with the test. */
export function startPart({ name, args, env = {}, within = [] }: SparkPart): ChildProcess {
  const home = execFileSync(python as string, ['-c', 'import pyspark; print(pyspark.__path__[0])'])
  const SPARK_HOME = String(home).trim()
  const script = join(SPARK_HOME, 'bin/spark-class')
  const part = [script, `org.apache.spark.deploy.${name}`, '--webui-port', '0', ...args]
  const [program = '', ...rest] = [...within, ...part]
  const child = spawn(program, rest, {
    stdio: 'ignore',
    env: {
      PATH: `${dirname(python as string)}:${process.env.PATH}`,
      SPARK_HOME,
      SPARK_DAEMON_MEMORY: '256m',
      SPARK_DAEMON_JAVA_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
      ...env,
    },
  })
  onTestFinished(() => endChild(child))
  return child
}

/**
 * A cluster of Spark on this machine, whose parts are processes that can be killed one by one: a
 * master, and hosts with a worker daemon each, which has room for one executor.
 */
export class Standalone {
  private master: ChildProcess | undefined
  private readonly hosts: ChildProcess[] = []

  private constructor(
    private readonly port: number,
    private readonly folder: string,
  ) {}

  /** A cluster that has a master, and as many hosts. */
  static async start(hosts: number): Promise<Standalone> {
    const cluster = new Standalone(await freePort(), await temporaryFolder())
    // What an image of such hosts would have on its PATH.
    await mkdir(join(cluster.folder, 'bin'))
    await symlink(join(repository, 'bin/moraine.js'), join(cluster.folder, 'bin/moraine'))
    await symlink(process.execPath, join(cluster.folder, 'bin/node'))
    await cluster.startMaster()
    for (let host = 0; host < hosts; host++) cluster.addHost()
    return cluster
  }

  get url(): string {
    return `spark://127.0.0.1:${this.port}`
  }

  /** Starts a master at the address of the cluster; it knows nothing of an earlier one. */
  async startMaster(): Promise<void> {
    const args = ['--host', '127.0.0.1', '--port', `${this.port}`]
    this.master = startPart({ name: 'master.Master', args })
    await listening(this.port)
  }

  addHost(): void {
    const PATH = `${join(this.folder, 'bin')}:${dirname(python as string)}:${process.env.PATH}`
    const args = ['-c', '1', '-m', '1g', '-h', '127.0.0.1', '-d', this.folder, this.url]
    this.hosts.push(startPart({ name: 'worker.Worker', args, env: { PATH } }))
  }

  async killMaster(): Promise<void> {
    if (this.master) await endChild(this.master)
  }

  /** Kills the executor below which a process runs; its host starts another one. */
  async killExecutorOf(pid: number): Promise<void> {
    const { executor } = this.above(pid)
    process.kill(executor, 'SIGKILL')
    await ended(executor)
  }

  /** Kills all processes of the host on which a process runs, as when it loses power. */
  async killHostOf(pid: number): Promise<void> {
    await this.kill(this.above(pid).host)
  }

  async killHosts(): Promise<void> {
    for (const host of [...this.hosts]) await this.kill(host)
  }

  private async kill(host: ChildProcess): Promise<void> {
    this.hosts.splice(this.hosts.indexOf(host), 1)
    const below = processesBelow(host.pid as number)
    await endChild(host)
    for (const pid of below) killed(pid)
    for (const pid of below) await ended(pid)
  }

  /** The host on which a process runs, and its executor. */
  private above(pid: number): { host: ChildProcess; executor: number } {
    for (const host of this.hosts) {
      const executors = processesBelow(host.pid as number, 1)
      const executor = executors.find((one) => processesBelow(one).includes(pid))
      if (executor !== undefined) return { host, executor }
    }
    throw new Error(`${pid} runs on no host of the cluster`)
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended with the others.
  }
}
