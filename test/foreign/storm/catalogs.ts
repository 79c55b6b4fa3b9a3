import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { type Fate, faultyProxy } from '../../support/faulty-proxy.js'
import { type Project, repository } from '../../support/project.js'
import { freePort } from '../../support/servers.js'

export const TOKEN = 'open-sesame'

/** `moraine serve --catalog` at one port, however often it is killed. */
class Catalog {
  private child: ChildProcess | undefined
  private readonly errors: string[] = []
  /** MiB, by the minute. */
  readonly memory: number[] = []

  private constructor(
    private readonly project: Project,
    readonly port: number,
  ) {}

  static async start(project: Project): Promise<Catalog> {
    const catalog = new Catalog(project, await freePort())
    onTestFinished(() => void catalog.child?.kill('SIGKILL'))
    await catalog.start()
    return catalog
  }

  /** Resolves once it listens. */
  private async start(): Promise<void> {
    const bin = join(repository, 'bin/moraine.js')
    const args = ['-C', this.project.folder, 'serve', '--catalog', '--port', String(this.port)]
    const child = spawn(process.execPath, [bin, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, MORAINE_TOKEN: TOKEN },
    })
    this.child = child
    child.stderr.on('data', (chunk) => this.errors.push(String(chunk)))
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk) => String(chunk).includes('"catalog"') && resolve())
      child.once('exit', (code) => reject(new Error(`It ended with ${code}: ${this.errors}`)))
    })
    child.removeAllListeners('exit')
  }

  isUp = true

  /** Ends at once, and begins again. */
  async strike(): Promise<void> {
    const gone = new Promise((done) => this.child?.once('exit', done))
    this.child?.kill('SIGKILL')
    this.isUp = false
    await gone
    await this.start()
    this.isUp = true
  }

  get hasEnded(): boolean {
    const { exitCode, signalCode } = this.child ?? {}
    return exitCode !== null || signalCode !== null
  }

  measure(): void {
    const status = readFileSync(`/proc/${this.child?.pid}/status`, 'utf8')
    this.memory.push(Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024))
  }
}

/** How often requests have a fate, in a thousand: those that change something, and the others. */
const fates: readonly (readonly [fate: Fate, changing: number, reading: number])[] = [
  ['lose', 50, 3],
  ['cut', 20, 3],
  [503, 10, 2],
  [{ after: 300 }, 60, 5],
  [{ after: 1500 }, 10, 0],
]

/**
 * Two catalogs of one lake, of which one is killed again and again, and what stands between them
 * and their clients: it loses answers, and is late.
 */
export class Catalogs {
  readonly counts = { requests: 0, killed: 0, lost: 0 }
  /** Whether anything is done to requests. */
  isStormy = false
  private readonly losses = new Map<string, number>()
  /** Clients whose last answer was lost. */
  private readonly unanswered = new Set<string>()
  private proxy = ''

  private constructor(
    private readonly killed: Catalog,
    private readonly spared: Catalog,
  ) {}

  static async start(project: Project, chance: () => number): Promise<Catalogs> {
    const both = await Promise.all([Catalog.start(project), Catalog.start(project)])
    const catalogs = new Catalogs(...both)
    const proxy = await faultyProxy('', (request) => catalogs.fateOf(request, chance()), {
      urlOf: (request) => catalogs.urlOf(request),
      onLost: ({ url }) => catalogs.lose(clientIn(url)),
    })
    onTestFinished(() => proxy.close())
    catalogs.proxy = proxy.url
    return catalogs
  }

  /** The address of the catalog for one client. */
  addressFor(client: string): string {
    return `${this.proxy}/${client}/iceberg`
  }

  /** Answers to a client that were lost, so far. */
  lossesOf(client: string): number {
    return this.losses.get(client) ?? 0
  }

  private lose(client: string): void {
    this.counts.lost++
    this.unanswered.add(client)
    this.losses.set(client, this.lossesOf(client) + 1)
  }

  private fateOf({ method, url }: IncomingMessage, drawn: number): Fate {
    this.counts.requests++
    const isAgain = this.unanswered.delete(clientIn(url))
    if (!this.isStormy) return 'pass'
    const at = method === 'GET' || method === 'HEAD' ? 2 : 1
    let left = drawn * 1000
    for (const fate of fates) {
      left -= fate[at]
      if (left >= 0) continue
      // DuckDB sends what was lost again, and takes a 503 for the answer to both: it removes files
      // of what is committed. A catalog that was asked never says so then.
      return isAgain && fate[0] === 503 ? 'pass' : fate[0]
    }
    return 'pass'
  }

  /** Requests go to both by turns, and to the one that is there while the other begins again. */
  private urlOf({ url = '' }: IncomingMessage): string {
    const isFirst = this.counts.requests % 2 === 0 && this.killed.isUp
    const { port } = isFirst ? this.killed : this.spared
    return `http://127.0.0.1:${port}${url.replace(/^\/[^/]+/, '')}`
  }

  /** Kills one of them now and then, until it is told to stop. */
  async kill(isOver: () => boolean, chance: () => number): Promise<void> {
    while (!isOver()) {
      await sleep(3000 + chance() * 7000)
      if (isOver()) return
      await this.killed.strike()
      this.counts.killed++
    }
  }

  /** Looks at the memory of the one that is never killed. */
  async watch(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.spared.measure()
      await sleep(1000)
    }
    this.spared.measure()
  }

  /**
   * MiB of the one that is never killed: at the beginning, on average of each tenth, and at most.
   */
  get memory(): { tenths: number[]; most: number } {
    const { memory } = this.spared
    const size = Math.max(1, Math.ceil(memory.length / 10))
    const tenths: number[] = []
    for (let at = 0; at < memory.length; at += size) {
      const part = memory.slice(at, at + size)
      tenths.push(Math.round(part.reduce((sum, mib) => sum + mib, 0) / part.length))
    }
    return { tenths, most: Math.max(...memory) }
  }

  get hasEnded(): boolean {
    return this.killed.hasEnded || this.spared.hasEnded
  }
}

const clientIn = (url = '') => url.split('/')[1] ?? ''
