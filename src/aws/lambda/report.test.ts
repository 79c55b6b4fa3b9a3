import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import { alert } from '../../define/alert.js'
import type { Lake } from '../../define/lake.js'
import type { RunRecord } from '../../step/events.js'
import { reportRun } from './report.js'

const silenced = () => {
  const written = vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
  onTestFinished(() => written.mockRestore())
}

/** Where alerts come to, and what has come. */
async function receiver() {
  const received: { on: string; dataset?: string }[] = []
  const server = createServer(async (request, answer) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    received.push(JSON.parse(Buffer.concat(parts).toString()))
    answer.end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((listening) => server.once('listening', listening))
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

it('a run that is done once more at once is no failure to anybody, but what it did counts', async () => {
  const { received, url } = await receiver()
  const alerts = [alert.webhook(url, { on: ['failed', 'quarantined'] })]
  const lake = { name: 'shop', alerts } as unknown as Lake
  const error = { kind: 'conflict', message: 'Another run was first' }
  const record = {
    ...{ run: '1', outcome: 'failed', commits: [4], started: '2026-01-01', finished: '2026-01-01' },
    steps: [
      { dataset: 'bronze.orders', outcome: 'done', rows: 5 },
      { dataset: 'gold.daily', outcome: 'failed', error },
    ],
    exports: [{ warehouse: 'w', dataset: 'gold.daily', outcome: 'failed', reason: 'gone' }],
  } as unknown as RunRecord
  const lines: string[] = []
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  onTestFinished(() => written.mockRestore())
  const told = () => lines.splice(0).map((line) => JSON.parse(line))
  const job = { name: 'orders', datasets: [] } as never

  await reportRun(lake, job, record, { repeated: 'another run was quicker' })
  expect(told()).toMatchObject([
    { level: 'info', event: 'job repeated', reason: 'another run was quicker' },
    { Runs: 1, RowsIngested: 5 },
  ])
  expect(received).toEqual([])

  await reportRun(lake, job, record)
  expect(told()).toMatchObject([
    { level: 'error', event: 'job finished', outcome: 'failed' },
    { RunsFailed: 1, ExportsFailed: 1 },
  ])
  expect(received).toHaveLength(2)

  // What no other attempt would change ends among no dead letters: an alarm looks at this.
  const [kept, failed] = record.steps
  const held = { ...failed, error: { kind: 'quality', message: 'its checks failed' } }
  await reportRun(lake, job, { ...record, steps: [kept, held] } as unknown as RunRecord)
  expect(told()[1]).toMatchObject({ RunsFailed: 1, RunsNotRetried: 1 })
})

it('tells of a check that warns, and of it alone', async () => {
  silenced()
  const { received, url } = await receiver()
  const lake = { name: 'shop', alerts: [alert.webhook(url)] } as unknown as Lake
  const warns = { check: 'discarded', severity: 'warn', passed: false, message: '9% discarded' }
  const passes = { check: 'rows', severity: 'warn', passed: true }
  const record = {
    ...{ run: '1', outcome: 'done', commits: [4], started: '2026-01-01', finished: '2026-01-01' },
    steps: [{ dataset: 'silver.orders', outcome: 'done', checks: [passes, warns] }],
  } as unknown as RunRecord
  await reportRun(lake, { name: 'orders', datasets: [] } as never, record)
  expect(received).toEqual([
    expect.objectContaining({
      ...{ on: 'warned', job: 'orders', dataset: 'silver.orders', message: '9% discarded' },
    }),
  ])
})

it('counts what each deployment of a lake does under its own name', async () => {
  const lines: string[] = []
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  vi.stubEnv('MORAINE_DEPLOYED', 'shop-test')
  onTestFinished(() => void [written.mockRestore(), vi.unstubAllEnvs()])
  const lake = { name: 'shop', alerts: [] } as unknown as Lake
  const times = { started: '2026-01-01', finished: '2026-01-01' }
  const record = { run: '1', outcome: 'done', commits: [], steps: [], ...times }
  const job = { name: 'orders', datasets: [] } as never
  await reportRun(lake, job, record as unknown as RunRecord)
  expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ Lake: 'shop-test', Job: 'orders' })
})
