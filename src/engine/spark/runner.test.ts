import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ended } from '../../../test/support/processes.js'
import { temporaryFolder } from '../../../test/support/project.js'
import { until } from '../../../test/support/until.js'
import { abortController } from '../../signals.js'
import type { WorkerEvent } from '../workers/workers.js'
import { Spark } from './spark.js'
import { SparkWorkers } from './spark-workers.js'

/*
 * What no real Spark does when a test wants it. In the place of Python stands a program that speaks
 * the lines of runner.py and no more: it notes its process, and does as its text says.
 */
const standIn = (does: string) => `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs')
const { createInterface } = require('node:readline')
const note = __filename + '.note'
appendFileSync(note, process.pid + '\\n')
const nth = readFileSync(note, 'utf8').trim().split('\\n').length
const write = (text) => new Promise((done) => process.stdout.write(text, done))
const say = (message) => write(JSON.stringify(message) + '\\n')
let isBegun = false
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { job, tasks } = JSON.parse(line)
  ${does}
})
`

async function pythonThat(does: string) {
  const program = join(await temporaryFolder(), 'python.cjs')
  await writeFile(program, standIn(does))
  await chmod(program, 0o755)
  const pids = async () => {
    const text = await readFile(`${program}.note`, 'utf8').catch(() => '')
    return text.split('\n').filter(Boolean).map(Number)
  }
  return { python: program, pids }
}

const hello = {
  protocol: 1 as const,
  moraine: '1.2.3',
  duckdb: 'v1.5.5',
  definition: { path: 'x', sha256: 'aa' },
  root: '/nowhere',
  environment: [],
}

it('a client of Spark that is killed in the middle of a reply has ended, and its task is tried again', async () => {
  const { python, pids } = await pythonThat(`
  if (!isBegun) {
    isBegun = true
    await write('a message of the day, which this Python prints\\n')
    return say({ ready: { spark: '4.1.0', slots: 1 } })
  }
  const [id, text] = tasks[0]
  const { attempt } = JSON.parse(text).task
  const reply = { reply: { id, attempt, text: 'x'.repeat(300000) } }
  const said = JSON.stringify({ job, task: id, place: 'there', line: JSON.stringify(reply) })
  if (nth === 1) {
    await write(said.slice(0, 200000))
    process.kill(process.pid, 'SIGKILL')
  }
  await write(said + '\\n')
  await say({ job, ended: true })`)
  const spark = await Spark.open({ python, master: 'local[1]', conf: {} })
  onTestFinished(() => spark.close())
  const workers = new SparkWorkers(spark, { hello })
  const events: WorkerEvent[] = []
  const found: unknown[] = []
  const { signal } = abortController()
  const onEvent = (event: WorkerEvent) => events.push(event)
  for await (const one of workers.map([{ id: 'a', text: '{}' }], { signal, onEvent }))
    found.push(one)
  expect(found).toMatchObject([{ id: 'a', attempt: 2, reply: 'x'.repeat(300_000) }])
  const failed = events.flatMap((event) => (event.type === 'failed' ? [event.why] : []))
  expect(failed).toEqual([expect.stringContaining('Spark’s client ended: SIGKILL')])
  expect(await pids()).toHaveLength(2)
})

it('a session that is still starting ends with the run that wants it', async () => {
  const { python, pids } = await pythonThat('')
  const stop = abortController()
  const opening = Spark.open({ python, master: 'yarn', conf: {} }, stop.signal)
  opening.catch(() => {})
  await until('Spark’s client has begun', async () => (await pids()).length === 1)
  stop.abort(new Error('Ctrl-C'))
  await expect(opening).rejects.toThrow('Ctrl-C')
  for (const pid of await pids()) await ended(pid)
})

it('a session that starts again in place of a lost one ends with the workers that want it', async () => {
  const { python, pids } = await pythonThat(`
  if (nth > 1) return
  if (tasks) process.kill(process.pid, 'SIGKILL')
  await say({ ready: { spark: '4.1.0', slots: 1 } })`)
  const spark = await Spark.open({ python, master: 'yarn', conf: {} })
  const workers = new SparkWorkers(spark, { hello })
  const stop = abortController()
  const waiting = workers.map([{ id: 'a', text: '{}' }], { signal: stop.signal })
  const first = waiting[Symbol.asyncIterator]().next()
  first.catch(() => {})
  await until('another client has begun', async () => (await pids()).length === 2)
  stop.abort(new Error('Ctrl-C'))
  await expect(first).rejects.toThrow('Ctrl-C')
  await workers.close()
  await spark.close()
  for (const pid of await pids()) await ended(pid)
})
