import { expect, it, onTestFinished, vi } from 'vitest'
import { after, bronze, defineLake, silver, t, z } from '../../index.js'
import * as told from '../../serve/alerts.js'
import { inbox } from '../../source/index.js'
import type { RunRecord } from '../../step/events.js'
import { MemoryStorage } from '../../storage/memory.js'
import { deployedJobs } from '../template/jobs.js'
import type { FunctionLake } from './function-lake.js'
import { askedIn } from './inbox.js'
import type { JobRequest } from './messages.js'
import { work } from './work.js'

const raw = bronze('orders', { from: inbox({ format: 'jsonl' }) })
const schema = z.object({ id: t.bigint() })
const clean = silver('orders', { from: raw, schema, key: 'id' })
const ledger = silver('ledger', { from: raw, schema, key: 'id', schedule: after([raw]) })
const lake = defineLake({ name: 'shop', datasets: [clean, ledger] })
const jobs = deployedJobs(lake)
const job = jobs.find(({ name }) => name === 'bronze.orders') as (typeof jobs)[number]
const context = { getRemainingTimeInMillis: () => 30_000 }

/** A run with what became of its steps, by their datasets. */
function ran(outcome: string, steps: Record<string, string>, kind = 'conflict'): RunRecord {
  const error = { kind, message: 'It could not be done' }
  const all = Object.entries(steps).map(([dataset, one]) => ({
    dataset,
    outcome: one,
    ...(one === 'failed' ? { error } : {}),
  }))
  const times = { started: '2026-01-01', finished: '2026-01-01' }
  return { run: '1', outcome, commits: [], steps: all, ...times } as unknown as RunRecord
}

/** A function whose runs end so, one after the other. */
function functionOf(runs: RunRecord[]): FunctionLake {
  const house = {
    storage: new MemoryStorage(),
    startEngine: async () => ({ close: async () => {} }),
    run: async () => runs.shift(),
  }
  return { lake, house, jobs, file: 'lake.mjs' } as unknown as FunctionLake
}

/** The jobs that were asked for behind one, whose runs end so, one after the other. */
async function askedBehind(runs: RunRecord[]): Promise<string[]> {
  const asked: string[] = []
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    const { job, message = '' } = JSON.parse(String(text))
    if (message.includes('knows no queue')) asked.push(job)
    return true
  })
  onTestFinished(() => written.mockRestore())
  const request = { job: job.name, cause: 'event', turn: 0 } as const
  const answer = await work(functionOf(runs), job, request, context)
  expect(answer).toBe('done')
  expect(runs).toEqual([])
  return asked
}

it('asks jobs behind for what an attempt took in that a conflict ended', async () => {
  const beaten = ran('failed', { 'bronze.orders': 'done', 'silver.orders': 'failed' })
  const repeated = ran('done', { 'bronze.orders': 'unchanged', 'silver.orders': 'done' })
  expect(await askedBehind([beaten, repeated])).toEqual(['silver.ledger'])
  // By itself it has changed nothing that another job runs after.
  expect(await askedBehind([repeated])).toEqual([])
})

it('tells people that a run failed once it is not tried again, or at once where that is no use', async () => {
  const written = vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
  const alerted = vi.spyOn(told, 'tell').mockResolvedValue()
  onTestFinished(() => void [written.mockRestore(), alerted.mockRestore()])
  /** The attempts that told of it, by how often SQS has given the message. */
  const tellers = async (kind: string) => {
    const answers: unknown[] = []
    for (const count of [1, 2, 3, 4, 5]) {
      const runs = [ran('failed', { 'bronze.orders': 'failed' }, kind)]
      const of = functionOf(runs)
      const event = {
        Records: [
          {
            ...{ messageId: '1', body: JSON.stringify({ job: job.name }) },
            attributes: { ApproximateReceiveCount: String(count) },
          },
        ],
      }
      const [asked] = askedIn(of, event)
      const answer = await work(of, job, (asked as { request: JobRequest }).request, context)
      const alerts = alerted.mock.calls.splice(0).map(([, { on }]) => on)
      answers.push([answer, ...alerts])
      if (answer === 'done') break
    }
    return answers
  }
  expect(await tellers('source')).toEqual([
    ['again'],
    ['again'],
    ['again'],
    ['again'],
    ['again', 'failed'],
  ])
  expect(await tellers('quality')).toEqual([['done', 'failed']])
})

it('tells people of a failure whose message can not come again, whatever comes with it', () => {
  const of = functionOf([])
  const record = (messageId: string, count?: number) => ({
    ...{ messageId, body: JSON.stringify({ job: job.name }) },
    ...(count === undefined ? {} : { attributes: { ApproximateReceiveCount: String(count) } }),
  })
  const left = (...Records: unknown[]) =>
    askedIn(of, { Records }).map(({ request }) => request.triesLeft)
  expect(left(record('1', 1), record('2', 4))).toEqual([true])
  expect(left(record('1', 1), record('2', 5))).toEqual([false])
  // A person who invokes the function sees that by itself; nothing comes again.
  expect(left(record('1'))).toEqual([false])
})
