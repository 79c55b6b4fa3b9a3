import { Console } from 'node:console'
import { rm } from 'node:fs/promises'
import { arch, availableParallelism, hostname, platform } from 'node:os'
import { Writable } from 'node:stream'
import { engineVersion } from '../../engine/open.js'
import { encodeLine, type Hello, type Machine, refusalOf } from '../../engine/workers/protocol.js'
import { serveTasks, type TaskServer } from '../../engine/workers/serve-tasks.js'
import { MoraineError } from '../../errors.js'
import { program } from '../../log/program.js'
import { machineMemory } from '../../process/memory.js'
import { watchStarter } from '../../process/watchdog.js'
import { setUserVariable, userVariable } from '../../settings.js'
import { abortController } from '../../signals.js'
import { scratchFolder } from '../../storage/scratch.js'
import { Lakehouse } from '../lakehouse.js'
import { Threads } from '../threads.js'
import { fetchDefinition } from './definition.js'
import { carryOutSent, endIfDiskFull, unsetHint } from './sent-step.js'

/**
 * Carries out steps for a run that speaks to this process on its standard input, wherever a
 * scheduler has put it. Standard output carries what is said to the run, and nothing else.
 *
 * @param prepare completes the environment that definitions read.
 * @returns whether it could work for the run.
 */
export async function serveWorker(prepare: () => Promise<void> = async () => {}): Promise<boolean> {
  watchStarter()
  const say = ownOutput()
  const greeted = (hello: Hello) =>
    greet(hello, prepare).catch((error) => {
      endIfDiskFull(error)
      throw error
    })
  return serveTasks(process.stdin, say, greeted)
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
async function greet(hello: Hello, prepare: () => Promise<void>): Promise<TaskServer> {
  const [moraine, duckdb] = [program, await engineVersion()]
  // Nothing of another version's is loaded.
  const { sha256 } = hello.definition
  const versions = { moraine, duckdb, unicode: process.versions.unicode }
  const refusal = refusalOf(hello, { ...versions, definition: sha256 })
  if (refusal) throw refusal
  if (hello.zone) setUserVariable('TZ', hello.zone)
  await prepare()
  const house = Lakehouse.at(hello.root)
  const folder = await scratchFolder('worker')
  const unset = hello.environment.filter((name) => !userVariable(name))
  const fetching = fetchDefinition(house.storage, hello.definition, folder)
  const { lake, copy } = await fetching.catch((error) => {
    throw withUnset(error, unset)
  })
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
    ready: {
      ...versions,
      definition: sha256,
      where: `pid ${process.pid} on ${hostname()}`,
      machine: thisMachine(),
    },
    carryOut: (text, progress) => carryOutSent({ lake, unset, resources }, text, progress),
    close: async () => {
      await javascript.close()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const thisMachine = (): Machine => ({
  host: hostname(),
  node: process.versions.node,
  platform: `${platform()} ${arch()}`,
  cores: availableParallelism(),
  memory: machineMemory(),
})

/** A definition that can't be loaded here may lack what it reads of the environment. */
function withUnset(error: unknown, unset: readonly string[]): unknown {
  if (!(error instanceof MoraineError) || error.kind !== 'definition' || unset.length === 0)
    return error
  const { kind, message, place } = error
  return new MoraineError(kind, message, { cause: error, place, hint: unsetHint(unset) })
}
