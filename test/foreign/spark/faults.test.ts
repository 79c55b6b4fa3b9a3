import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Spark, type SparkSession } from '../../../src/engine/spark/spark.js'
import { SparkWorkers } from '../../../src/engine/spark/spark-workers.js'
import { encodeLine } from '../../../src/engine/workers/protocol.js'
import type { WorkerEvent } from '../../../src/engine/workers/workers.js'
import { hello, program } from '../../contract/workers/suite.js'
import { childrenOf, ended, isRunning } from '../../support/processes.js'
import { Project, repository, temporaryFolder } from '../../support/project.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { drawnOf, pythonOfSail, sparkOfConnect, startConnect, startSail } from './sparks.js'

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

/** Servers of Spark Connect, for clients that have neither Java nor the rest of Spark. */
const servers = {
  Sail: { needs: [pythonOfSail], start: startSail },
  'Spark Connect': { needs: [pythonOfSail, sparkOfConnect], start: startConnect },
}

for (const name of drawnOf('Sail', 'Spark Connect')) {
  const { needs, start } = servers[name as keyof typeof servers]
  withService(name, needs, () => faultsOn(start))
}

function faultsOn(start: typeof startSail): void {
  let server: Awaited<ReturnType<typeof startSail>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.stop())

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
        'lake.ts': lake(pythonOfSail as string, server.url, note),
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

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    it(`leaves no session that is still starting, of a run that is ended by ${signal}`, async () => {
      // It takes what it is asked, as a cluster that has no room does, and never answers.
      let asked: () => void = () => {}
      const isAsked = new Promise<void>((resolve) => {
        asked = resolve
      })
      const silent = createServer((socket) => {
        socket.on('error', () => {}).once('data', asked)
      })
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void silent.close())
      const { port } = silent.address() as AddressInfo
      const project = await Project.create({
        'lake.ts': lake(pythonOfSail as string, `sc://127.0.0.1:${port}`, '/nowhere/note'),
        'in/1.csv': 'id,name\n1,a\n',
      })
      const script = join(repository, 'bin/moraine.js')
      const run = spawn(process.execPath, [script, '-C', project.folder, 'run'], {
        stdio: 'ignore',
      })
      onTestFinished(() => void run.kill('SIGKILL'))
      await isAsked
      const runners = childrenOf(run.pid as number)
      expect(runners.length).toBeGreaterThan(0)
      run.kill(signal)
      for (const pid of [run.pid as number, ...runners]) await ended(pid)
      expect((await project.state()).tables).toEqual({})
    })

  it('says why a session does not start', async () => {
    const session = { python: pythonOfSail, conf: {} }
    await expect(Spark.open({ ...session, connect: 'sc://127.0.0.1:9' })).rejects.toMatchObject({
      kind: 'engine',
      message: 'No Spark Connect server answers at sc://127.0.0.1:9: Connection refused',
      hint: expect.stringContaining('correct the address'),
    })
    const archive = '/nowhere/moraine.tar.gz'
    const opening = Spark.open({ ...session, connect: server.url, archive })
    const error = await opening.catch((said) => said)
    expect(error).toMatchObject({ kind: 'engine' })
    expect(error.message).toMatch(/^Spark does not start: .*\w/)
    expect(`${error.message} ${error.hint}`).not.toMatch(/exit code|Traceback|File "/)
  })
}

withService('Spark 4.1', [python], () => {
  const session: SparkSession = { python: python as string, master: 'local[2]', conf: {} }

  const command = [process.execPath, program, '{}']

  describe('a session', () => {
    it('is started anew where its Java was killed, and what it was at is tried again', async () => {
      const spark = await Spark.open(session)
      onTestFinished(() => spark.close())
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

    it('has a host that is no address of this machine: then answers come with the results', async () => {
      const spark = await Spark.open({ ...session, host: '192.0.2.1' })
      onTestFinished(() => spark.close())
      const workers = new SparkWorkers(spark, { hello, command, slots: 1 })
      const { signal } = new AbortController()
      const found: unknown[] = []
      for await (const one of workers.map([{ id: 'a', text: '{}' }], { signal })) found.push(one)
      expect(found).toMatchObject([{ id: 'a', attempt: 1, reply: '{"done":"a"}' }])
    })

    it('does not submit what is cancelled before it has begun', async () => {
      const spark = await Spark.open({ ...session, master: 'local[1]' })
      onTestFinished(() => spark.close())
      const [longest, cancelled] = [new AbortController(), new AbortController()]
      const lineOf = (id: string, wait: number) =>
        encodeLine({ task: { id, attempt: 1, text: JSON.stringify({ wait }) } }).trimEnd()
      const jobOf = (id: string, wait: number) => ({
        ...{ group: 'g', hello: encodeLine({ hello }).trimEnd(), command },
        tasks: [[id, lineOf(id, wait)]] as const,
      })
      // It has the one place that there is, for as long as it is not cancelled.
      let begun: () => void = () => {}
      const isBegun = new Promise<void>((resolve) => {
        begun = resolve
      })
      const first = spark.job(jobOf('a', 600_000), longest.signal, () => begun())
      first.catch(() => {})
      await isBegun
      const heard: string[] = []
      const second = spark.job(jobOf('b', 0), cancelled.signal, (id) => heard.push(id))
      cancelled.abort(new Error('not wanted any more'))
      await expect(second).rejects.toThrow('not wanted any more')
      expect(heard).toEqual([])
      longest.abort(new Error('Ctrl-C'))
      await expect(first).rejects.toThrow('Ctrl-C')
    })
  })
})
