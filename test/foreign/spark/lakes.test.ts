import { afterAll, beforeAll, expect, it } from 'vitest'
import { spark } from '../../../src/define/index.js'
import { sameLakes } from '../../support/compare-lakes.js'
import { moraine, Project } from '../../support/project.js'
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

const started = (of: string | undefined) => () =>
  sameLakes((file, root) =>
    processesFor(file, root, { instead: spark({ master: 'local[2]', python: of as string }) }),
  )

const drawn = drawnOf('Spark 4.1', 'Spark 3.5', 'Sail', 'Spark Connect')
if (drawn.has('Spark 4.1')) withService('Spark 4.1', [python], started(python))

if (drawn.has('Spark 3.5')) withService('Spark 3.5', [pythonOfSpark35], started(pythonOfSpark35))

/** Its JavaScript asks for a language and a time zone. */
const asking = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const words = silver('words', {
  from: bronze('words', { from: files('in/*.csv') }),
  schema: z.object({
    id: t.int(),
    text: z.string()
      .refine((text) => text.localeCompare('z') > 0)
      .transform((text) => text + ' ' + new Date('2026-01-01T00:00:00Z').getHours())
      .pipe(z.string()),
  }),
})
export default defineLake({ name: 'shop', datasets: [words] })
`

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

  it('have the dates and the order of letters of the run, whatever the cluster has', async () => {
    const env = { LC_ALL: 'sv_SE.UTF-8', TZ: 'Asia/Tokyo', MORAINE_PYTHON: pythonOfSail }
    const found: unknown[] = []
    for (const engine of ['duckdb', `spark:${server.url}`]) {
      const project = await Project.create({ 'lake.ts': asking, 'in/1.csv': 'id,text\n1,å\n2,y\n' })
      const args = ['-C', project.folder, 'run', '--engine', engine]
      const { code, stderr } = await moraine(args, env)
      expect(code, stderr).toBe(0)
      found.push(await project.query('select id, text from silver.words order by id'))
    }
    expect(found[0]).toEqual([{ id: 1, text: 'å 9' }])
    expect(found[1]).toEqual(found[0])
  })
}

if (drawn.has('Sail')) withService('Sail', [pythonOfSail], connected(startSail))

if (drawn.has('Spark Connect'))
  withService('Spark Connect', [pythonOfSail, sparkOfConnect], connected(startConnect))
