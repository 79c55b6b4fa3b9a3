import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type LambdaPackage, packLambda } from '../../src/aws/package/pack-lambda.js'
import { loadLake } from '../../src/load/load.js'
import { unzipped } from './unzip.js'

const runtime = fileURLToPath(new URL('children/function.mjs', import.meta.url))

/** The processors of this machine, for which packages are made that run here. */
export const ownArch = process.arch === 'arm64' ? 'arm64' : 'x64'

/** The package of a project's functions. */
export async function packed(
  file: string,
  arch: 'arm64' | 'x64' = ownArch,
): Promise<LambdaPackage> {
  return packLambda({ file, lake: await loadLake(file) }, { arch })
}

/** A package unpacked, as Lambda has it; each content once, for all tests of this machine. */
export async function unpacked({ zip, content }: LambdaPackage): Promise<string> {
  const folder = join(tmpdir(), 'moraine-test-functions', content.slice(0, 16))
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const made = await mkdtemp(`${folder}-`)
  for (const [path, bytes] of await unzipped(zip)) {
    await mkdir(dirname(join(made, path)), { recursive: true })
    await writeFile(join(made, path), bytes)
  }
  // Another process may have been quicker.
  await rename(made, folder).catch(() => rm(made, { recursive: true }))
  return folder
}

export interface Invocation {
  answer?: any
  error?: string
  /** Seconds of the call, and since the process began to load the function. */
  seconds: number
  since: number
}

/**
 * A function in a process of its own, with a folder for temporary files of its own and no home, as
 * Lambda starts it.
 */
export class FunctionProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly out: { text: string },
  ) {}

  static async start(
    folder: string,
    env: Record<string, string>,
    { node = process.execPath }: { node?: string } = {},
  ): Promise<FunctionProcess> {
    const temporary = await mkdtemp(join(tmpdir(), 'moraine-function-'))
    const child = fork(runtime, [folder], {
      execPath: node,
      execArgv: [],
      cwd: temporary,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH ?? '',
        TMPDIR: temporary,
        HOME: '/home/sbx_user1051',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '2048',
        AWS_REGION: 'us-east-1',
        ...env,
      },
    })
    const out = { text: '' }
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        out.text += chunk
      })
    const started = new FunctionProcess(child, out)
    onTestFinished(async () => {
      await started.kill()
      await rm(temporary, { recursive: true, force: true })
    })
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve())
      child.once('exit', () => reject(new Error(`the function did not start:\n${out.text}`)))
    })
    return started
  }

  /** What it has written so far. */
  get text(): string {
    return this.out.text
  }

  /** Lines of its log, parsed. */
  get lines(): Record<string, any>[] {
    return this.text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  }

  /** Resolves once it has told of an event so often, or the other has come to its end. */
  async told(event: string, times: number, ended: Promise<unknown>): Promise<void> {
    let isOver = false
    ended.finally(() => {
      isOver = true
    })
    const told = () => this.lines.filter((line) => line.event === event).length
    while (told() < times && !isOver) await new Promise((done) => setTimeout(done, 5))
  }

  /** @throws where the process ends before it answers. */
  invoke(handler: string, event: unknown, milliseconds = 900_000): Promise<Invocation> {
    const { child } = this
    const id = createHash('sha256').update(String(Math.random())).digest('hex')
    return new Promise((resolve, reject) => {
      const heard = (message: Invocation & { id: string }) => {
        if (message.id !== id) return
        child.off('message', heard).off('exit', ended)
        resolve(message)
      }
      const ended = () => reject(new Error(`the function ended:\n${this.text}`))
      child.on('message', heard).once('exit', ended)
      child.send({ id, handler, event, milliseconds })
    })
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = new Promise((done) => this.child.once('exit', done))
    this.child.kill('SIGKILL')
    await gone
  }
}

/** What EventBridge's rule sends into a queue when an object has arrived. */
export const bridged = (bucket: string, key: string) =>
  JSON.stringify({
    version: '0',
    'detail-type': 'Object Created',
    source: 'aws.s3',
    detail: {
      version: '0',
      bucket: { name: bucket },
      object: { key, size: 1 },
      reason: 'PutObject',
    },
  })

/** What Lambda gives a function of messages. */
export const batchOf = (...bodies: string[]) => ({
  Records: bodies.map((body, i) => ({ messageId: `message-${i}`, body, eventSource: 'aws:sqs' })),
})
