import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A program that does what it is asked, a line each, maybe several at once. */
export class Helper {
  readonly ready: Promise<unknown>
  private readonly waiting = new Map<number, Waiting>()
  private last = 0
  private complaints = ''

  constructor(
    command: string,
    args: readonly string[],
    private readonly name: string,
  ) {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      // With what it starts itself.
      detached: true,
    })
    this.child = child
    onTestFinished(() => this.stop())
    this.ready = this.promised(0)
    this.ready.catch(() => {})
    child.stderr.on('data', (chunk) => {
      this.complaints = (this.complaints + chunk).slice(-4000)
    })
    createInterface({ input: child.stdout }).on('line', (line) => this.heard(line))
    child.stdin.on('error', () => {})
    child.once('exit', (code, signal) => {
      const error = new Error(`${name} ended with ${signal ?? code}:\n${this.complaints}`)
      for (const { reject } of this.waiting.values()) reject(error)
      this.waiting.clear()
    })
  }

  private readonly child: ChildProcess

  private promised(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  private heard(line: string): void {
    // Some libraries print by themselves.
    if (!line.startsWith('{"id"')) return
    const { id, value, error } = JSON.parse(line)
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(error))
  }

  /** @throws Error with what the program says of what went wrong. */
  ask<T>(question: object): Promise<T> {
    if (this.hasEnded) return Promise.reject(new Error(`${this.name} has ended`))
    const id = ++this.last
    const answer = this.promised(id)
    this.child.stdin?.write(`${JSON.stringify({ id, ...question })}\n`)
    return answer as Promise<T>
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  stop(): void {
    if (this.child.pid !== undefined && !this.hasEnded) process.kill(-this.child.pid, 'SIGKILL')
  }
}
