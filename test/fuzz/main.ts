/*
 * npm run fuzz -- NAME [SECONDS]: reads mutated files in a process of its own, which may take 10 seconds and 512 MiB for each. Inputs
 * that run code which none before them did are mutated further. What breaks a reader is kept in test/fuzz/seeds/NAME, and tried first
 * by the tests from then on. `all` is every reader, one after the other.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
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

async function start(of: string, inputs: readonly Buffer[]): Promise<ChildProcess> {
  const execArgv = ['--import', 'tsx', '--max-old-space-size=512', '--expose-gc']
  const child = fork(join(here, 'child.ts'), [of], { execArgv, serialization: 'advanced' })
  await once(child, 'message')
  // What these run is known.
  for (const bytes of inputs) await attempt(child, bytes)
  return child
}

/** What is said of an input; a text says how the process ended. */
function attempt(child: ChildProcess, bytes: Buffer): Promise<Said | string> {
  return new Promise((resolve) => {
    const settle = (said: Said | string) => {
      clearTimeout(late)
      child.off('message', answered).off('exit', ended)
      resolve(said)
    }
    const answered = (said: unknown) => settle(said as Said)
    const ended = (code: number | null, by: string | null) => settle(`it ended: ${code ?? by}`)
    const late = setTimeout(() => settle(`it takes more than ${LONGEST / 1000} s`), LONGEST)
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

async function fuzz(of: string): Promise<number> {
  const inputs = await seedsOf(of)
  let child = await start(of, [])
  let [tried, broken, added] = [0, 0, 0]
  const attemptOne = async (bytes: Buffer) => {
    tried++
    const said = await attempt(child, bytes)
    const wrong = wrongWith(said)
    if (wrong !== undefined) {
      broken++
      console.error(`${keep(of, bytes)}: ${wrong}`)
      child.kill('SIGKILL')
      child = await start(of, inputs)
    } else if ((said as Said).fresh > 0 && bytes.length <= LONGEST_INPUT) return true
    return false
  }
  for (const bytes of [...inputs]) await attemptOne(bytes)
  const begun = Date.now()
  const isDone = () => Date.now() - begun >= Number(seconds) * 1000
  for (let round = 0; !isDone(); round++)
    for (const bytes of fc.sample(mutated(inputs), { seed: seed + round, numRuns: 100 })) {
      if (isDone()) break
      if (!(await attemptOne(bytes)) || inputs.length >= MOST_INPUTS) continue
      inputs.push(bytes)
      added++
    }
  child.disconnect()
  const rate = `${tried} inputs in ${seconds} s, ${added} of them led further`
  console.log(`${of}: ${rate}, ${broken} broke it`)
  return broken
}

let broken = 0
for (const one of name === 'all' ? names : [name]) broken += await fuzz(one)
await closeAll()
process.exit(broken > 0 ? 1 : 0)
