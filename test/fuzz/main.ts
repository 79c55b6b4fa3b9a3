/*
 * npm run fuzz -- NAME [SECONDS]: reads mutated files in a process of its own, which may take 10
 * seconds and 512 MiB for each. Inputs that run code which none before them did are mutated
 * further. What breaks a reader is kept in test/fuzz/seeds/NAME, and tried first by the tests from
 * then on. `all` is every reader, as many at a time as there are cores.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import type { Said } from './child.js'
import { mutated } from './mutate.js'
import { all, closeAll, seedsOf } from './targets.js'

const [name = '', seconds = '60'] = process.argv.slice(2)
const names = Object.keys(all)
if (name !== 'all' && !names.includes(name)) {
  console.error(`npm run fuzz -- NAME [SECONDS], where NAME is all, or one of ${names.join(', ')}`)
  process.exit(2)
}

const here = fileURLToPath(new URL('.', import.meta.url))
const LONGEST = 10_000
const MOST = 512 * 2 ** 20
/** Inputs that are mutated further. */
const MOST_INPUTS = 2000
/** Bytes of those: longer ones are read seldom. */
const LONGEST_INPUT = 2 ** 20

const seed = Number(process.env.MORAINE_SEED) || Date.now()
console.log(`Seed of the fuzzers: ${seed} (again with MORAINE_SEED=${seed})`)

async function start(of: string): Promise<ChildProcess> {
  const execArgv = ['--import', 'tsx', '--max-old-space-size=512', '--expose-gc']
  const child = fork(join(here, 'child.ts'), [of], { execArgv, serialization: 'advanced' })
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`The process that reads ${of} ended before it began, with ${code}`)
  })
  gone.catch(() => {})
  await Promise.race([once(child, 'message'), gone])
  return child
}

const LATE = `it takes more than ${LONGEST / 1000} s`

/** What is said of an input; a text says how the process ended. */
function attempt(child: ChildProcess, bytes: Buffer, longest = LONGEST): Promise<Said | string> {
  return new Promise((resolve) => {
    const settle = (said: Said | string) => {
      clearTimeout(late)
      child.off('message', answered).off('exit', ended)
      resolve(said)
    }
    const answered = (said: unknown) => settle(said as Said)
    const ended = (code: number | null, by: string | null) => settle(`it ended: ${code ?? by}`)
    const late = setTimeout(() => settle(LATE), longest)
    child.on('message', answered).on('exit', ended)
    if (child.connected) child.send(bytes)
    else ended(child.exitCode, child.signalCode)
  })
}

function wrongWith(said: Said | string): string | undefined {
  if (typeof said === 'string') return said
  if (said.wrong !== undefined) return said.wrong
  if (said.peak > MOST) return `it took ${Math.round(said.peak / 2 ** 20)} MiB`
  return said.kept > MOST ? `it left ${Math.round(said.kept / 2 ** 20)} MiB behind` : undefined
}

function keep(of: string, bytes: Buffer): string {
  const folder = join(here, 'seeds', of)
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, bytes)
  return file
}

/** Whether an input is new; what breaks the reader is kept, and another process takes its place. */
class Fuzzer {
  private child: ChildProcess | undefined
  broken = 0
  tried = 0

  constructor(
    private readonly name: string,
    private readonly inputs: readonly Buffer[],
  ) {}

  async leadsFurther(bytes: Buffer): Promise<boolean> {
    this.tried++
    this.child ??= await start(this.name)
    const said = await attempt(this.child, bytes)
    const wrong = wrongWith(said)
    if (wrong === undefined) return (said as Said).fresh > 0 && bytes.length <= LONGEST_INPUT
    await this.restart()
    // A machine that has much to do is slow at times: what hangs does so again.
    const again = said === LATE ? await attempt(this.child, bytes, 6 * LONGEST) : said
    if (wrongWith(again) === undefined) return false
    this.broken++
    console.error(`${keep(this.name, bytes)}: ${wrong}`)
    await this.restart()
    return false
  }

  private async restart(): Promise<void> {
    this.child?.kill('SIGKILL')
    this.child = await start(this.name)
    // What these run is known.
    for (const bytes of this.inputs) await attempt(this.child, bytes)
  }

  end(): void {
    this.child?.disconnect()
  }
}

async function fuzz(of: string): Promise<number> {
  const inputs = await seedsOf(of)
  const fuzzer = new Fuzzer(of, inputs)
  let added = 0
  for (const bytes of [...inputs]) await fuzzer.leadsFurther(bytes)
  const begun = Date.now()
  const isDone = () => Date.now() - begun >= Number(seconds) * 1000
  for (let round = 0; !isDone(); round++)
    for (const bytes of fc.sample(mutated(inputs), { seed: seed + round, numRuns: 100 })) {
      if (isDone()) break
      if (!(await fuzzer.leadsFurther(bytes)) || inputs.length >= MOST_INPUTS) continue
      inputs.push(bytes)
      added++
    }
  fuzzer.end()
  const { tried, broken } = fuzzer
  const rate = `${tried} inputs in ${seconds} s, ${added} of them led further`
  console.log(`${of}: ${rate}, ${broken} broke it`)
  return broken
}

const waiting = name === 'all' ? [...names] : [name]
const broken: number[] = []
const worker = async () => {
  for (let one = waiting.shift(); one; one = waiting.shift()) broken.push(await fuzz(one))
}
await Promise.all(Array.from({ length: availableParallelism() }, worker))
await closeAll()
process.exit(broken.every((n) => n === 0) ? 0 : 1)
