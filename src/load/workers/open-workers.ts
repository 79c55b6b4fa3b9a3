import { fileURLToPath } from 'node:url'
import { Processes } from '../../engine/workers/processes.js'
import type { Hello } from '../../engine/workers/protocol.js'
import type { Workers } from '../../engine/workers/workers.js'
import { packageFolder } from '../../home.js'
import { environment } from '../../settings.js'
import type { OtherEngine } from './engines-of.js'

/**
 * @param beforeStart must be awaited before a worker begins.
 * @param stop ends the start.
 */
export type OpenWorkers = (
  engine: OtherEngine,
  hello: Hello,
  beforeStart: () => Promise<void>,
  stop: AbortSignal,
) => Workers | Promise<Workers>

/** The workers of an engine. */
export async function openWorkers(
  engine: OtherEngine,
  hello: Hello,
  beforeStart: () => Promise<void>,
  signal: AbortSignal,
): Promise<Workers> {
  const start = fileURLToPath(new URL('bin/moraine.js', packageFolder))
  const argv = [process.execPath, start, 'worker'] as const
  if (engine.engine === 'spark') {
    const { openSparkWorkers } = await import('../../engine/spark/open.js')
    return openSparkWorkers(engine, { hello, command: argv, beforeStart, signal })
  }
  const { count, attempts } = engine
  return new Processes({
    slots: count,
    hello,
    beforeStart,
    ...(attempts === undefined ? {} : { attempts }),
    // They load the definition, which reads the environment as the run does.
    command: { argv: [...argv], env: environment() },
  })
}
