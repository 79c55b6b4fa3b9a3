import { describe, expect, it } from 'vitest'
import { estimate, type JobToEstimate } from '../../aws/prices/estimate.js'
import { every } from '../../define/schedule.js'
import { costLines } from './cost.js'

const GIB = 2 ** 30

const orders: JobToEstimate = {
  name: 'bronze.orders',
  schedule: every('15m'),
  datasets: 2,
  memory: 1024,
  runs: [
    { seconds: 1, puts: 50, gets: 30 },
    { seconds: 3, puts: 70, gets: 50 },
  ],
}

const lines = (jobs: readonly JobToEstimate[], held = { bytes: 0 }) =>
  costLines(estimate(jobs, held, {}))

/*
 * By hand, in millionths of a dollar: a run of 2 s with 1 GB 26.6668 and its request 0.2; 60 PUT
 * 300, 40 GET 16; three calls of SQS 1.5, four of Glue 4, its schedule 1. Together 349.3668; 96 of
 * them a day 33,539.21, 30 days 1,006,176.4.
 */
describe('what a lake costs is said', () => {
  it('by measured runs: a run, a day, a month, and what lies there', () => {
    const { jobs, day, month } = estimate([orders], { bytes: 10 * GIB }, {})
    expect(jobs[0]?.run.usd).toBeCloseTo(349.3668e-6, 12)
    expect(jobs[0]?.day?.usd).toBeCloseTo(33_539.2128e-6, 10)
    expect(day.usd).toBeCloseTo(33_539.2128e-6, 10)
    // 10 GB more, at $0.023.
    expect(month.usd).toBeCloseTo(1.006176384 + 0.23, 8)
    expect(lines([orders], { bytes: 10 * GIB })).toEqual([
      '$0.00035 a run of bronze.orders (96 a day; measured)',
      '$0.034 a day; $1.24 a month, with 10.0 GiB of tables',
      'prices of us-east-1 of 2024 to 2026-11-30: yours may differ (docs/guide/aws.md)',
    ])
  })

  it('by runs of the example until something was measured, and without those that files start', () => {
    // 0.8 s 10.66672 and 0.2; 32 PUT 160, 48 GET 19.2; SQS 1.5, Glue 4, an event 1: 196.56672.
    const byFiles = { ...orders, schedule: undefined, runs: [] }
    expect(estimate([byFiles], { bytes: 0 }, {}).jobs[0]?.run.usd).toBeCloseTo(196.56672e-6, 12)
    expect(lines([byFiles]).slice(0, 2)).toEqual([
      '$0.0002 a run of bronze.orders (started by files or by hand; as in the example, until it has run)',
      '$0 a day, without runs that files start; $0.00 a month; storage comes on top',
    ])
    const seconds = { ...orders, runs: [{ seconds: 2 }] }
    expect(lines([seconds])[0]).toMatch(/96 a day; seconds measured, requests as in the example\)$/)
  })

  it('of the dearest jobs by name, and of all together', () => {
    const named = (at: number) => ({ ...orders, name: `bronze.n${at}`, schedule: every(`${at}h`) })
    const all = lines([7, 3, 1, 5, 2, 6, 4].map(named))
    expect(all.slice(0, 6).map((line) => /bronze\.n\d|and .*/.exec(line)?.[0])).toEqual([
      ...['bronze.n1', 'bronze.n2', 'bronze.n3', 'bronze.n4', 'bronze.n5'],
      'and 2 other jobs',
    ])
    // 24 h by 1 to 7: 24 + 12 + 8 + 6 + 4.8 + 4 + 3.43 runs a day.
    expect(all[6]).toMatch(/^\$0\.022 a day; \$0\.65 a month/)
  })
})
