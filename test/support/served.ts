import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Project, repository } from './project.js'
import { until } from './until.js'

export type Line = Record<string, unknown>

/** `moraine serve` as a process of its own, and what it says. */
export class Served {
  readonly lines: Line[] = []
  readonly ended: Promise<number | null>

  /** @param atEnd what has a process ended that nobody stops; by default the test. */
  constructor(
    readonly child: ChildProcess,
    atEnd: (end: () => void) => void = onTestFinished,
  ) {
    atEnd(() => void child.kill('SIGKILL'))
    this.ended = new Promise((done) => child.once('exit', done))
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
      const parts = text.split('\n')
      text = parts.pop() ?? ''
      this.lines.push(...parts.map((line) => JSON.parse(line) as Line))
    })
  }

  /** Starts it on a free port; it looks for what has arrived each second. */
  static start(
    project: Project,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
    atEnd?: (end: () => void) => void,
  ): Served {
    const bin = join(repository, 'bin/moraine.js')
    const all = ['-C', project.folder, 'serve', '--port', '0', '--every', '1', ...args]
    const child = spawn(process.execPath, [bin, ...all], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    return new Served(child, atEnd)
  }

  /** The first line of which something holds, once it was said. */
  async line(holds: (line: Line) => boolean): Promise<Line> {
    const found = () => this.lines.find(holds)
    const all = () => this.lines.map((line) => JSON.stringify(line)).join('\n')
    await until(
      () => `such a line is in:\n${all()}`,
      () => found() !== undefined,
      this.child,
    )
    return found() as Line
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.ended
  }
}
