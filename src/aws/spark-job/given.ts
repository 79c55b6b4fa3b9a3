import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type SparkEngine, spark } from '../../define/engines/spark.js'
import { nearest } from '../../define/nearest.js'
import { MoraineError } from '../../errors.js'
import { placedIn } from '../../load/workers/definition-file.js'
import { variable } from '../../settings.js'
import { scratchFolder } from '../../storage/scratch.js'

/**
 * What a job must be told.
 *
 * @throws MoraineError of kind `usage` where it was not.
 */
export function needed(name: 'MORAINE_ROOT' | 'MORAINE_DEFINITION' | 'MORAINE_JOB'): string {
  const found = variable(name)
  if (found) return found
  throw new MoraineError('usage', `${name} is not set`, {
    hint: `Start the job with --${name}, as its template does.`,
  })
}

/** The definition that was packed, for the folder in which its project lies here. */
export async function ownCopy(definition: string): Promise<string> {
  const packed = resolve(definition)
  const copy = join(await scratchFolder('definition'), 'lake.mjs')
  await mkdir(dirname(copy), { recursive: true })
  const text = await readFile(packed, 'utf8')
  await writeFile(copy, placedIn(join(dirname(packed), 'project'), text))
  return copy
}

/** @throws MoraineError of kind `usage` that says which jobs there are. */
export function noJob(name: string, jobs: readonly { name: string }[]): never {
  const names = jobs.map((one) => one.name)
  const similar = nearest(name, names)
  throw new MoraineError('usage', `No job is named '${name}'`, {
    hint: similar ? `Did you mean ${similar}?` : `There are: ${names.join(', ')}`,
  })
}

/** Memory of a task where nobody says it: what a worker of Glue has left beside its JVM. */
const TASK = '4GiB'

/** The engine of silver and gold. */
export function sparkOf(): SparkEngine {
  const archive = variable('MORAINE_ARCHIVE')
  const [tasks, cores] = [variable('MORAINE_TASKS'), variable('MORAINE_CORES')].map(Number)
  // Where it is started and with what, Spark knows: this program is within it.
  const { master: _, ...engine } = spark({
    memory: TASK,
    ...(archive ? { archive } : {}),
    ...(tasks ? { tasks } : {}),
    ...(cores ? { cores } : {}),
  })
  return engine
}
