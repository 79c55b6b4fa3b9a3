import { expect, it, onTestFinished, vi } from 'vitest'
import { after, bronze, defineLake, silver, t, z } from '../../index.js'
import { inbox } from '../../source/index.js'
import type { RunRecord } from '../../step/events.js'
import { MemoryStorage } from '../../storage/memory.js'
import { deployedJobs } from '../template/jobs.js'
import type { FunctionLake } from './function-lake.js'
import { work } from './work.js'

const raw = bronze('orders', { from: inbox({ format: 'jsonl' }) })
const schema = z.object({ id: t.bigint() })
const clean = silver('orders', { from: raw, schema, key: 'id' })
const ledger = silver('ledger', { from: raw, schema, key: 'id', schedule: after([raw]) })
const lake = defineLake({ name: 'shop', datasets: [clean, ledger] })

/** A run with what became of its steps, by their datasets. */
function ran(outcome: string, steps: Record<string, string>): RunRecord {
  const error = { kind: 'conflict', message: 'Another run was first' }
  const all = Object.entries(steps).map(([dataset, one]) => ({
    dataset,
    outcome: one,
    ...(one === 'failed' ? { error } : {}),
  }))
  const times = { started: '2026-01-01', finished: '2026-01-01' }
  return { run: '1', outcome, commits: [], steps: all, ...times } as unknown as RunRecord
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
  const house = {
    storage: new MemoryStorage(),
    startEngine: async () => ({ close: async () => {} }),
    run: async () => runs.shift(),
  }
  const jobs = deployedJobs(lake)
  const of = { lake, house, jobs, file: 'lake.mjs' } as unknown as FunctionLake
  const job = jobs.find(({ name }) => name === 'bronze.orders') as (typeof jobs)[number]
  const request = { job: job.name, cause: 'event', turn: 0 } as const
  const answer = await work(of, job, request, { getRemainingTimeInMillis: () => 30_000 })
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
