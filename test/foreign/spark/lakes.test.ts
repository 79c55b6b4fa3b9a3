import { afterAll, beforeAll } from 'vitest'
import { spark } from '../../../src/define/index.js'
import { sameLakes } from '../../support/compare-lakes.js'
import { withService } from '../../support/services.js'
import { processesFor } from '../../support/workers.js'
import { python } from '../readers.js'
import {
  drawnOf,
  pythonOfSail,
  pythonOfSpark35,
  sparkOfConnect,
  startConnect,
  startSail,
} from './sparks.js'

/*
 * The lakes of the examples have the same rows, value by value, where Spark schedules their steps.
 */

const local = (of: string | undefined) => () =>
  sameLakes((file, root) =>
    processesFor(file, root, { instead: spark({ master: 'local[2]', python: of as string }) }),
  )

const drawn = drawnOf('Spark 4.1', 'Spark 3.5', 'Sail', 'Spark Connect')
if (drawn.has('Spark 4.1')) withService('Spark 4.1', [python], local(python))

if (drawn.has('Spark 3.5')) withService('Spark 3.5', [pythonOfSpark35], local(pythonOfSpark35))

/** A server of Spark Connect, for clients that have neither Java nor the rest of Spark. */
const connected = (start: typeof startSail) => () => {
  let server: Awaited<ReturnType<typeof startSail>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.stop())
  sameLakes((file, root) =>
    processesFor(file, root, {
      instead: spark({ connect: server.url, tasks: 2, python: pythonOfSail as string }),
    }),
  )
}

if (drawn.has('Sail')) withService('Sail', [pythonOfSail], connected(startSail))

if (drawn.has('Spark Connect'))
  withService('Spark Connect', [pythonOfSail, sparkOfConnect], connected(startConnect))
