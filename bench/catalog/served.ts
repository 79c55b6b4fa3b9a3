import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { used } from '../measure.js'
import { benchFolder, repository } from '../tickit.js'
import type { Outcome, Task } from './clients.js'

const TOKEN = 'open sesame'
const tsx = ['--import', join(repository, 'node_modules/tsx/dist/loader.mjs')]

/** A server as clients reach it, and what it takes. */
export class Server {
  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
  ) {}

  /** `moraine serve --catalog` on a lake in a folder. */
  static async moraine(folder: string): Promise<Server> {
    const program = [join(repository, 'bin/moraine.js'), '-C', folder, 'serve', '--port', '0']
    // With it, a profile of the processor: NODE_OPTIONS would profile the clients as well.
    const flags = (process.env.BENCH_SERVER_FLAGS ?? '').split(' ').filter(Boolean)
    return Server.start([...flags, ...program, '--catalog'], (line) => {
      const { event, url } = JSON.parse(line)
      return event === 'catalog' ? url : undefined
    })
  }

  /** A bare server that answers as much. */
  static async floor(characters: number): Promise<Server> {
    const folder = await benchFolder()
    const program = join(import.meta.dirname, 'floor.ts')
    return Server.start([...tsx, program, JSON.stringify({ folder, characters })], (line) => line)
  }

  private static async start(
    args: readonly string[],
    urlIn: (line: string) => string | undefined,
  ): Promise<Server> {
    const env = { ...process.env, MORAINE_TOKEN: TOKEN }
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
    for await (const line of createInterface({ input: child.stdout })) {
      const url = urlIn(line)
      if (url === undefined) continue
      child.stdout.resume()
      return new Server(child, url)
    }
    throw new Error(`${args.join(' ')} ended before it listened`)
  }

  async run(task: Omit<Task, 'url' | 'token'>): Promise<Outcome> {
    const program = join(import.meta.dirname, 'clients.ts')
    const whole: Task = { ...task, url: this.url, token: TOKEN }
    const args = [...tsx, program, JSON.stringify(whole)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return JSON.parse(stdout)
  }

  /** Its memory now, and the most that it has had, in MiB; its processor time in seconds. */
  get takes(): { now: number; peak: number; cpu: number } {
    const { peak, cpu } = used(this.child)
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8')
    const now = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
    return { now: now / 1024, peak: peak / 1024, cpu }
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    await gone
  }
}
