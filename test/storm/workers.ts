import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** What is done to a command while it runs. */
export type Fate =
  | { kind: 'leave' }
  /** Killed after a share of the time that such commands take. */
  | { kind: 'kill'; after: number }
  /**
   * Killed before or after the n-th touch of the lake's folder, as a share of the touches of such
   * commands.
   */
  | { kind: 'die'; after: number; before: boolean }
  | { kind: 'terminate'; after: number }
  /** Stopped like a machine that sleeps, and woken later. */
  | { kind: 'freeze'; after: number; milliseconds: number }

export interface Outcome {
  /** The exit code; undefined when it was killed. */
  code: number | undefined
  text: string
}

/** A command that runs, and what becomes of it. */
export interface Running {
  pid: number
  /** All that it has printed so far. */
  text(): string
  signal(name: NodeJS.Signals): void
  end: Promise<Outcome>
}

/** Commands that one process runs before another takes its place. */
const MOST = 150
const program = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** Ends a process; resolves once there is none of its number. */
async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

interface Worker {
  child: ChildProcess
  ready: Promise<unknown>
  commands: number
}

/** Processes that wait for commands: one that is killed costs no start of the next. */
export class Workers {
  private readonly idle: Worker[] = []
  private readonly all = new Set<ChildProcess>()
  /** Milliseconds and touches that commands take, by their names. */
  private readonly usual = new Map<string, { time: number; touches: number }>()
  readonly counts = { commands: 0, killed: 0, frozen: 0, terminated: 0 }
  readonly byCommand = new Map<string, number>()

  constructor(private readonly env: NodeJS.ProcessEnv) {}

  private start(): Worker {
    const child = fork(program, [], {
      execArgv: [],
      // Ctrl-C is for the storm: commands end as it says.
      detached: true,
      env: this.env,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    this.all.add(child)
    child.once('exit', () => this.all.delete(child))
    return { child, ready: once(child, 'message'), commands: 0 }
  }

  /** Keeps so many ready. */
  fill(count = 2): void {
    while (this.idle.length < count) this.idle.push(this.start())
  }

  /** Starts a command, and does to it what was drawn. */
  async run(argv: readonly string[], folder: string, fate: Fate = { kind: 'leave' }) {
    this.fill(1)
    const worker = this.idle.shift() as Worker
    await worker.ready
    const name = argv[0] ?? ''
    const usual = this.usual.get(name) ?? { time: 500, touches: 40 }
    const { child } = worker
    const begun = Date.now()
    let text = ''
    let over = false
    const ended = new Promise<Outcome>((resolve) => {
      const settle = (outcome: Outcome) => {
        child.off('message', said).off('exit', died)
        child.stdout?.off('data', logged)
        resolve(outcome)
      }
      const said = (message: { text?: string; code?: number; touched?: number }) => {
        if (message.code === undefined) text += message.text ?? ''
        else {
          if (message.code === 0 && fate.kind === 'leave')
            this.learn(name, Date.now() - begun, message.touched ?? 0)
          over = true
          const outcome = { code: message.code, text: message.text || text }
          const isDone = message.code === 0 && name !== 'serve'
          void this.putBack(worker, isDone).then(() => settle(outcome))
        }
      }
      // The log of a server goes past the process's own streams.
      const logged = (chunk: Buffer) => {
        text += chunk
      }
      const died = (_: number | null, by: string | null) => {
        if (over) return
        this.counts.killed++
        this.fill()
        settle({ code: undefined, text: `${text}\n(ended by ${by})` })
      }
      child.on('message', said).on('exit', died)
      child.stdout?.on('data', logged)
    })
    this.counts.commands++
    this.byCommand.set(name, (this.byCommand.get(name) ?? 0) + 1)
    const share = fate.kind === 'die' ? Math.max(1, Math.round(fate.after * usual.touches)) : 0
    const death = fate.kind === 'die' ? (fate.before ? share : -share) : 0
    child.send({ argv, folder, death })
    const running: Running = {
      pid: child.pid as number,
      text: () => text,
      signal: (signal) => void child.kill(signal),
      end: ended,
    }
    if (fate.kind !== 'leave' && fate.kind !== 'die')
      this.strike(running, fate, fate.after * usual.time)
    return running
  }

  private async strike(running: Running, fate: Fate, after: number): Promise<void> {
    const ended = running.end.then(() => true)
    if (await Promise.race([ended, sleep(after).then(() => false)])) return
    if (fate.kind === 'kill') running.signal('SIGKILL')
    else if (fate.kind === 'terminate') {
      this.counts.terminated++
      running.signal('SIGTERM')
    } else if (fate.kind === 'freeze') {
      this.counts.frozen++
      running.signal('SIGSTOP')
      await sleep(fate.milliseconds)
      running.signal('SIGCONT')
    }
  }

  private learn(name: string, time: number, touches: number): void {
    const before = this.usual.get(name) ?? { time, touches }
    const mix = (a: number, b: number) => a * 0.8 + b * 0.2
    this.usual.set(name, { time: mix(before.time, time), touches: mix(before.touches, touches) })
  }

  /**
   * What a command that was stopped has claimed is free once its process is gone, so only those
   * that ran to their end stay.
   */
  private async putBack(worker: Worker, isDone: boolean): Promise<void> {
    if (isDone && ++worker.commands < MOST && this.idle.length < 3) this.idle.push(worker)
    else await end(worker.child)
    this.fill()
  }

  close(): void {
    for (const child of this.all) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
    }
  }
}
