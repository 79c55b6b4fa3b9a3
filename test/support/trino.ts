import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseJson } from '../../src/iceberg/json.js'
import { freePort } from './servers.js'

/** The folder of a Trino server with its plugin for Iceberg. */
export const trinoFolder: string | undefined = process.env.MORAINE_TRINO

const machines = '/usr/lib/jvm'
/** The Java that Trino needs, which is newer than others need. */
export const trinoJava: string | undefined = existsSync(machines)
  ? readdirSync(machines)
      .filter((name) => /\b(2[4-9]|[3-9]\d)\b/.test(name))
      .map((name) => join(machines, name, 'bin/java'))
      .find(existsSync)
  : undefined

/** What a statement gave: its columns, and their values as Trino writes them in JSON. */
export interface TrinoResult {
  columns: { name: string; type: string }[]
  rows: unknown[][]
}

/** A Trino server with a folder and a port of its own. */
export class Trino {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {}

  /** @param catalogs their properties, by their names. */
  static async start(
    catalogs: Readonly<Record<string, string>>,
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<Trino> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-trino-'))
    const url = `http://127.0.0.1:${await freePort()}`
    await mkdir(join(folder, 'catalog'))
    for (const [name, properties] of Object.entries(catalogs))
      await writeFile(join(folder, 'catalog', `${name}.properties`), properties)
    const settings = {
      coordinator: true,
      'node-scheduler.include-coordinator': true,
      'http-server.http.port': new URL(url).port,
      'node.bind-ip': '127.0.0.1',
      'node.internal-address': '127.0.0.1',
      'node.environment': 'test',
      'discovery.uri': url,
      'catalog.config-dir': join(folder, 'catalog'),
      'plugin.dir': join(trinoFolder as string, 'plugin'),
    }
    const config = join(folder, 'config.properties')
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
    await writeFile(config, lines.join('\n'))
    const log = await open(join(folder, 'log'), 'w')
    // It lives for a few minutes: code that is compiled in haste pays off sooner.
    const args = [
      ...['-Xmx1G', '-XX:TieredStopAtLevel=1', '--add-modules=jdk.incubator.vector'],
      ...['--enable-native-access=ALL-UNNAMED', '--sun-misc-unsafe-memory-access=allow'],
      ...[`-Dconfig=${config}`, `-Dnode.data-dir=${folder}`],
      ...['-cp', join(trinoFolder as string, 'lib', '*'), 'io.trino.server.TrinoServer'],
    ]
    const stdio = ['ignore', log.fd, log.fd] as const
    const child = spawn(trinoJava as string, args, { cwd: folder, stdio: [...stdio], env })
    await log.close()
    const trino = new Trino(child, folder, url)
    await trino.ready()
    return trino
  }

  private async ready(): Promise<void> {
    while (this.child.exitCode === null && this.child.signalCode === null) {
      const info = await fetch(`${this.url}/v1/info`).then(
        (answer) => (answer.ok ? answer.json() : undefined),
        () => undefined,
      )
      const isUp = (info as { starting?: boolean } | undefined)?.starting === false
      if (isUp) return
      await sleep(200)
    }
    const log = await readFile(join(this.folder, 'log'), 'utf8')
    throw new Error(`Trino did not start:\n${log.slice(-4000)}`)
  }

  /**
   * @param more headers that say more of who asks.
   * @throws Error with Trino's own message.
   */
  async run(statement: string, more: Readonly<Record<string, string>> = {}): Promise<TrinoResult> {
    for (;;)
      try {
        return await this.runOnce(statement, more)
      } catch (error) {
        // It does not know itself as a node yet, or not any more on a busy machine: nothing was
        // run.
        if (!/No nodes available/.test(String(error))) throw error
        await sleep(200)
      }
  }

  private async runOnce(
    statement: string,
    more: Readonly<Record<string, string>>,
  ): Promise<TrinoResult> {
    const headers = { 'x-trino-user': 'test', 'x-trino-time-zone': 'UTC', ...more }
    const result: TrinoResult = { columns: [], rows: [] }
    let next: string | undefined = `${this.url}/v1/statement`
    let body: string | undefined = statement
    while (next) {
      const answer: Response = await fetch(next, {
        headers,
        ...(body === undefined ? {} : { method: 'POST', body }),
      })
      if (answer.status === 502 || answer.status === 503) {
        await sleep(100)
        continue
      }
      if (!answer.ok) throw new Error(`Trino answered ${answer.status}: ${await answer.text()}`)
      const page = parseJson(await answer.text()) as Page
      if (page.error) throw new Error(page.error.message)
      if (page.columns) result.columns = page.columns
      for (const row of page.data ?? []) result.rows.push(row)
      body = undefined
      next = page.nextUri
    }
    return result
  }

  /** Ends it, whatever it does. */
  async kill(): Promise<void> {
    const gone = new Promise((done) => this.child.once('exit', done))
    const hasEnded = this.child.exitCode !== null || this.child.signalCode !== null
    if (!hasEnded) {
      this.child.kill('SIGKILL')
      await gone
    }
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}

interface Page {
  columns?: TrinoResult['columns']
  data?: unknown[][]
  nextUri?: string
  error?: { message: string }
}
