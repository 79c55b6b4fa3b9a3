import type { ChildProcess } from 'node:child_process'
import { MoraineError } from '../errors.js'
import { builtFile } from '../home.js'
import { endChild, startChild } from '../process/child.js'
import { environment } from '../settings.js'
import type { StepWorker } from '../step/context.js'
import { decodeReply, encodeStep, type SentStep } from '../step/task/codec.js'
import { packStep } from '../step/task/pack.js'

/**
 * Has steps carried out by processes of this machine, which are told all by JSON: each has one step
 * at a time, and then the next.
 */
export class StepProcesses {
  private readonly all = new Set<ChildProcess>()
  private readonly idle: ChildProcess[] = []

  /** @param where the definition and the lake are, and what the engine of a step may use. */
  constructor(
    private readonly where: Pick<SentStep, 'definedIn' | 'root' | 'memory' | 'threads'>,
  ) {}

  readonly carryOut: StepWorker = async ({ relations, signal }, dataset, task) => {
    const text = encodeStep(await packStep(relations, dataset, task, this.where))
    signal.throwIfAborted()
    const child = this.idle.pop() ?? this.start()
    const reply = decodeReply(await tell(child, text, signal))
    this.idle.push(child)
    if ('error' in reply) throw reply.error
    return reply.output
  }

  /** Ends the processes, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all([...this.all].map(endChild))
  }

  private start(): ChildProcess {
    // It loads the definition, which reads the environment as the run does.
    const child = startChild(builtFile('load/step-process.js'), { env: environment() })
    this.all.add(child)
    child.once('exit', () => this.all.delete(child))
    return child
  }
}

/**
 * Tells a process to carry out a step, and returns its reply; where nobody waits for that any more,
 * the process is ended.
 */
function tell(child: ChildProcess, text: string, signal: AbortSignal): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    const stop = () => child.kill('SIGKILL')
    const ended = (code: number | null, by: NodeJS.Signals | null) => {
      done()
      const why = new MoraineError('engine', `the process of a step ended: ${by ?? code}`)
      reject(signal.aborted ? signal.reason : why)
    }
    const answered = (reply: unknown) => {
      done()
      resolve(String(reply))
    }
    const done = () => {
      signal.removeEventListener('abort', stop)
      child.off('message', answered).off('exit', ended)
    }
    signal.addEventListener('abort', stop)
    child.once('message', answered).once('exit', ended)
    child.send(text)
  })
}
