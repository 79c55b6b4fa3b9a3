/*
 * npm run fuzz -- NAME [SECONDS]: reads mutated files in a process of its own, which may take 10 seconds and 512 MiB for each.
 * What breaks it is kept in test/fuzz/seeds/NAME, and tried first by the tests from then on.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { mutated } from './mutate.js'
import { closeAll, seedsOf, targets } from './targets.js'

const [name = '', seconds = '60'] = process.argv.slice(2)
if (!Object.hasOwn(targets, name)) {
  console.error(
    `npm run fuzz -- NAME [SECONDS], where NAME is one of ${Object.keys(targets).join(', ')}`,
  )
  process.exit(2)
}

const here = fileURLToPath(new URL('.', import.meta.url))
const LONGEST = 10_000

function start(): ChildProcess {
  const execArgv = ['--import', 'tsx', '--max-old-space-size=512']
  return fork(join(here, 'child.ts'), [name], { execArgv, serialization: 'advanced' })
}

/** What went wrong with an input, if anything. */
function attempt(child: ChildProcess, bytes: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const settle = (said: string | undefined) => {
      clearTimeout(late)
      child.off('message', answered).off('exit', ended)
      resolve(said)
    }
    const answered = (said: unknown) => settle(said === 'held' ? undefined : String(said))
    const ended = (code: number | null, by: string | null) => settle(`it ended: ${code ?? by}`)
    const late = setTimeout(() => settle(`it takes more than ${LONGEST / 1000} s`), LONGEST)
    child.on('message', answered).on('exit', ended)
    child.send(bytes)
  })
}

const seeds = await seedsOf(name)
const begun = Date.now()
const inputs = mutated(seeds)
let child = start()
let [tried, broken] = [0, 0]
for (let number = begun; Date.now() - begun < Number(seconds) * 1000; number++)
  for (const bytes of fc.sample(inputs, { seed: number, numRuns: 100 })) {
    tried++
    const said = await attempt(child, bytes)
    if (said === undefined) continue
    broken++
    const folder = join(here, 'seeds', name)
    const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, bytes)
    console.error(`${file}: ${said}`)
    child.kill('SIGKILL')
    child = start()
  }
child.kill('SIGKILL')
await closeAll()
console.log(`${name}: ${tried} inputs in ${seconds} s, ${broken} broke it`)
process.exit(broken > 0 ? 1 : 0)
