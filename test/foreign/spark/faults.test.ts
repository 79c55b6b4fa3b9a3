import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Spark, type SparkSession } from '../../../src/engine/spark/spark.js'
import { SparkWorkers } from '../../../src/engine/spark/spark-workers.js'
import type { WorkerEvent } from '../../../src/engine/workers/workers.js'
import { childrenOf, ended, isRunning } from '../../support/processes.js'
import { Project, repository, temporaryFolder } from '../../support/project.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { pythonOfSail, startSail } from './sparks.js'

/*
 * What ends in the middle of a run: the lake is as before, nothing goes on, and the next run does
 * all.
 */

/** Its rows take long unless a file says otherwise. */
const lake = (python: string, connect: string, note: string) => `
import { appendFileSync, existsSync } from 'node:fs'
import { bronze, defineLake, silver, spark, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  key: 'id',
  schema: z.object({ id: t.int(), name: z.string().refine((name) => {
    if (name !== 'slow' || existsSync('${note}.fast')) return true
    appendFileSync('${note}', \`\${process.pid}\\n\`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
    return true
  }) }),
})
export default defineLake({
  name: 'shop',
  engine: spark({ connect: '${connect}', tasks: 2, python: '${python}' }),
  datasets: [orders],
})
`

withService('Sail', [pythonOfSail], () => {
  let sail: Awaited<ReturnType<typeof startSail>>
  beforeAll(async () => {
    sail = await startSail()
  })
  afterAll(() => sail?.stop())

  const atWork = async (note: string) => {
    for (;;) {
      const text = await readFile(note, 'utf8').catch(() => '')
      if (text.endsWith('\n')) return Number(text.trim().split('\n').at(-1))
      await sleep(50)
    }
  }

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    it(`leaves nothing of a run that is ended by ${signal}, and the next one builds all`, async () => {
      const note = join(await temporaryFolder(), 'note')
      const project = await Project.create({
        'lake.ts': lake(pythonOfSail as string, sail.url, note),
        'in/1.csv': 'id,name\n1,slow\n2,b\n',
      })
      const script = join(repository, 'bin/moraine.js')
      const run = () =>
        spawn(process.execPath, [script, '-C', project.folder, 'run'], { stdio: 'ignore' })
      const first = run()
      onTestFinished(() => void first.kill('SIGKILL'))
      const worker = await atWork(note)
      const runners = childrenOf(first.pid as number)
      first.kill(signal)
      for (const pid of [first.pid as number, worker, ...runners]) await ended(pid)
      expect((await project.state()).tables).toEqual({})

      await writeFile(`${note}.fast`, '')
      const again = run()
      await ended(again.pid as number)
      expect(await project.query('select id, name from silver.orders order by id')).toEqual([
        { id: 1, name: 'slow' },
        { id: 2, name: 'b' },
      ])
    })
})

withService('Spark 4.1', [python], () => {
  const session: SparkSession = { python: python as string, master: 'local[2]', conf: {} }

  describe('a session', () => {
    it('is started anew where its Java was killed, and what it was at is tried again', async () => {
      const spark = await Spark.open(session)
      onTestFinished(() => spark.close())
      const hello = {
        protocol: 1 as const,
        moraine: '1.2.3',
        duckdb: 'v1.5.5',
        definition: { path: 'x', sha256: 'aa' },
        root: '/nowhere',
        environment: [],
      }
      const program = join(repository, 'test/contract/workers/program.mjs')
      const command = [process.execPath, program, '{}']
      const workers = new SparkWorkers(spark, { hello, command, slots: 2 })
      const { signal } = new AbortController()
      const note = join(await temporaryFolder(), 'note')
      const events: WorkerEvent[] = []
      let isKilled = false
      const onEvent = (event: WorkerEvent) => {
        events.push(event)
        if (event.type !== 'started' || isKilled) return
        isKilled = true
        for (const runner of childrenOf(process.pid))
          for (const java of childrenOf(runner)) process.kill(java, 'SIGKILL')
      }
      const text = JSON.stringify({ wait: 1000, note })
      const found: unknown[] = []
      for await (const one of workers.map([{ id: 'a', text }], { signal, onEvent })) found.push(one)
      expect(found).toMatchObject([{ id: 'a', attempt: 2, reply: '{"done":"a"}' }])
      expect(events.filter(({ type }) => type === 'failed')).toHaveLength(1)
      const pids = (await readFile(note, 'utf8'))
        .split('\n')
        .map((line) => Number(line.split(' ')[0]))
      await spark.close()
      expect(pids.filter((pid) => pid > 0 && isRunning(pid))).toEqual([])
    })
  })
})
