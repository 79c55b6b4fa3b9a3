import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { MoraineError } from '../../errors.js'
import { environment, variable } from '../../settings.js'

/** A Python that is to have pyspark, and its environment. */
export interface Python {
  program: string
  env: Readonly<Record<string, string>>
}

/**
 * The Python that Spark is started with: the one that is named, or that of `MORAINE_PYTHON`, of
 * `SPARK_HOME`, of the `pyspark` that is on the PATH, or else `python3`.
 */
export function findPython(named?: string): Python {
  const env = environment()
  const program = named ?? variable('MORAINE_PYTHON')
  if (program) return { program, env }
  const home = variable('SPARK_HOME')
  if (home) {
    const PYTHONPATH = [...pythonOf(home), env.PYTHONPATH ?? ''].filter(Boolean).join(delimiter)
    return { program: variable('PYSPARK_PYTHON') ?? 'python3', env: { ...env, PYTHONPATH } }
  }
  const besideSpark = (variable('PATH') ?? '')
    .split(delimiter)
    .filter((folder) => existsSync(join(folder, 'pyspark')))
    .map((folder) => join(folder, 'python3'))
    .find(existsSync)
  return { program: besideSpark ?? variable('PYSPARK_PYTHON') ?? 'python3', env }
}

/** What a distribution of Spark has for Python: pyspark, and the archive of what it imports. */
function pythonOf(home: string): string[] {
  const folder = join(home, 'python')
  const lib = join(folder, 'lib')
  if (!existsSync(lib))
    throw new MoraineError('usage', `SPARK_HOME is ${home}, where Spark was not found`, {
      hint: 'Set it to the folder that has bin/spark-submit and python/lib, or unset it.',
    })
  const py4j = readdirSync(lib).filter((name) => /^py4j-.*\.zip$/.test(name))
  return [folder, ...py4j.map((name) => join(lib, name))]
}
