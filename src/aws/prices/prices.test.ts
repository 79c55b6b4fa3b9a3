import { describe, expect, it } from 'vitest'
import { cron, every } from '../../define/schedule.js'
import { bronze, defineLake, silver, t, z } from '../../index.js'
import { inbox } from '../../source/index.js'
import type { RunRecord } from '../../step/events.js'
import { aws } from '../options/aws.js'
import { estimate, scheduledADay } from './estimate.js'
import { lakeCost } from './lake-cost.js'
import { costOf, prices } from './prices.js'

describe('prices', () => {
  it('each have a figure, a unit, a source, and a date', () => {
    for (const [name, price] of Object.entries(prices)) {
      expect(price.figure, name).toBeGreaterThan(0)
      expect(price.per, name).toBeGreaterThanOrEqual(1)
      expect(price.unit, name).not.toBe('')
      expect([name, price.date]).toEqual([name, expect.stringMatching(/^20\d\d(-\d\d-\d\d)?$/)])
      expect(price.source, name).toMatch(/^https:\/\//)
    }
  })

  it('are multiplied by what was used', () => {
    const { usd, lines } = costOf({ 's3.puts': 2000, 'athena.bytes': 1e12, 's3.gets': 0 })
    expect(usd).toBeCloseTo(5.01, 10)
    expect(lines.map(({ name }) => name)).toEqual(['athena.bytes', 's3.puts'])
  })
})

describe('an estimate', () => {
  const job = { name: 'bronze.orders', datasets: 7, memory: 1024, schedule: every('5m') }

  it('of the run that was measured on a laptop is what was worked out there by hand', () => {
    // 97 PUT, 170 GET, 4 LIST, 2.5 s of 1 GB: $0.0005 for S3 alone, $4.5 a month at every 5
    // minutes.
    const runs = [{ seconds: 2.5, puts: 101, gets: 170 }]
    const { jobs, month } = estimate([{ ...job, runs }], { bytes: 0 }, {})
    expect(jobs[0]?.measured).toEqual({ seconds: true, requests: true })
    expect(jobs[0]?.run.usd).toBeCloseTo(0.00062, 4)
    expect(month.usd).toBeGreaterThan(4.5)
    expect(month.usd).toBeLessThan(6)
    expect(month.lines[0]?.name).toBe('s3.puts')
  })

  it('says what was not measured, and which job runs nobody knows how often', () => {
    const { jobs, day } = estimate([{ ...job, schedule: undefined, runs: [] }], { bytes: 0 }, {})
    expect(jobs[0]).toMatchObject({
      measured: { seconds: false, requests: false },
      runsADay: undefined,
      day: undefined,
    })
    expect(jobs[0]?.run.usd).toBeGreaterThan(0)
    expect(day.usd).toBe(0)
  })

  it('takes what is held into the month, and not into the day', () => {
    const { day, month } = estimate([], { bytes: 2 ** 30, keys: 1 }, {})
    expect(day.usd).toBe(0)
    expect(month.usd).toBeCloseTo(1.023, 6)
  })

  it('takes what records of a job’s runs say, and how many of them there were a day', () => {
    const deploy = aws({ region: 'eu-central-1', encryption: 's3' })
    const raw = bronze('orders', { from: inbox() })
    const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
    const lake = defineLake({ name: 'shop', datasets: [orders], deploy })
    const record = (hour: number, more: object = {}) => ({
      ...{ format: 1, run: `${hour}`, outcome: 'done', author: 'aws-lambda', commits: [] },
      started: `2026-06-01T${String(hour).padStart(2, '0')}:00:00Z`,
      finished: `2026-06-01T${String(hour).padStart(2, '0')}:00:04Z`,
      steps: [{ dataset: 'bronze.orders' }, { dataset: 'silver.orders' }],
      requests: { puts: 60, gets: 40 },
      ...more,
    })
    const records = [
      ...Array.from({ length: 20 }, (_, hour) => record(hour)),
      // Neither what failed nor what was on a branch tells what a run costs.
      record(21, { outcome: 'failed', requests: { puts: 9000, gets: 9000 } }),
      record(22, { branch: 'dev', requests: { puts: 9000, gets: 9000 } }),
    ] as unknown as RunRecord[]
    const now = new Date('2026-06-03T00:00:00Z')
    const { jobs, day, month, dates } = lakeCost(lake, deploy, { records, now })
    expect(jobs[0]).toMatchObject({
      measured: { seconds: true, requests: true },
      runsADay: 10,
    })
    const usages = Object.fromEntries(jobs[0]?.run.lines.map((one) => [one.name, one.amount]) ?? [])
    // Four seconds of two GB.
    expect(usages).toMatchObject({ 's3.puts': 60, 's3.gets': 40, 'lambda.seconds': 8 })
    expect(day.usd).toBeCloseTo((jobs[0]?.run.usd ?? 0) * 10, 10)
    expect(month.usd).toBeCloseTo(day.usd * 30, 10)
    expect(dates[1] >= dates[0]).toBe(true)
  })

  it('counts how often schedules are due', () => {
    expect(scheduledADay(every('5m'))).toBe(288)
    expect(scheduledADay(cron('0 3 * * *'))).toBe(1)
    expect(scheduledADay(cron('0 3 * * 1-5', { timezone: 'Europe/Berlin' }))).toBeCloseTo(5 / 7, 10)
    expect(scheduledADay(cron('*/15 * * * *'))).toBe(96)
  })
})
