import { Console } from 'node:console'
import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { Writable } from 'node:stream'
import { engineVersion } from '../../engine/open.js'
import { encodeLine, type Hello, refusalOf } from '../../engine/workers/protocol.js'
import { serveTasks, type TaskServer } from '../../engine/workers/serve-tasks.js'
import { MoraineError } from '../../errors.js'
import { program } from '../../log/program.js'
import { watchStarter } from '../../process/watchdog.js'
import { userVariable } from '../../settings.js'
import { abortController } from '../../signals.js'
import { scratchFolder } from '../../storage/scratch.js'
import { Lakehouse } from '../lakehouse.js'
import { Threads } from '../threads.js'
import { fetchDefinition } from './definition.js'
import { carryOutSent } from './sent-step.js'

/**
 * Carries out steps for a run that speaks to this process on its standard input, wherever a
 * scheduler has put it. Standard output carries what is said to the run, and nothing else.
 *
 * @returns whether it could work for the run.
 */
export async function serveWorker(): Promise<boolean> {
  watchStarter()
  const say = ownOutput()
  return serveTasks(process.stdin, say, greet)
}

/** What the definition or a package writes to standard output is told as a log. */
function ownOutput(): (line: string) => void {
  const { stdout } = process
  const write = stdout.write.bind(stdout)
  const say = (line: string) => void write(line)
  let begun = ''
  const log = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      const lines = (begun + String(chunk)).split('\n')
      begun = lines.pop() as string
      for (const text of lines) say(encodeLine({ log: { text } }))
      done()
    },
  })
  stdout.write = log.write.bind(log) as typeof stdout.write
  globalThis.console = new Console(log, log)
  return say
}

/** Gets ready for a run: its lake, its definition, and an engine. */
async function greet(hello: Hello): Promise<TaskServer> {
  const [moraine, duckdb] = [program, await engineVersion()]
  // Nothing of another version's is loaded.
  const { sha256 } = hello.definition
  const refusal = refusalOf(hello, { moraine, duckdb, definition: sha256 })
  if (refusal) throw refusal
  refuseUnset(hello.environment)
  const house = Lakehouse.at(hello.root)
  const folder = await scratchFolder('worker')
  const { lake, copy } = await fetchDefinition(house.storage, hello.definition, folder)
  const { memory, threads, watched = false } = hello
  const engine = await house.startEngine({
    ...(memory === undefined ? {} : { memory }),
    ...(threads === undefined ? {} : { threads }),
    watched,
  })
  await engine.confine([house.storage.url])
  const javascript = new Threads(copy, { isLaid: true, most: threads })
  const { signal } = abortController()
  const resources = { storage: house.storage, engine, javascript, signal }
  return {
    ready: { moraine, duckdb, definition: sha256, where: `pid ${process.pid} on ${hostname()}` },
    carryOut: (text, progress) => carryOutSent({ lake, resources }, text, progress),
    close: async () => {
      await javascript.close()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The names are the run's; what they say is this machine's own. */
function refuseUnset(names: readonly string[]): void {
  const missing = names.filter((name) => !userVariable(name))
  if (missing.length === 0) return
  throw new MoraineError('storage', `A worker lacks ${missing.join(', ')} of its environment`, {
    hint: 'The run names these variables and never sends what they say: set them wherever workers run.',
  })
}
