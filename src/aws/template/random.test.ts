import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultsOf } from '../../../test/support/cloudformation.js'
import { after, bronze, cron, defineLake, every, gold, silver, sql, t, z } from '../../index.js'
import { files, inbox } from '../../source/index.js'
import { aws } from '../options/aws.js'
import type { AwsOptions } from '../options/options.js'
import { deployedJobs } from './jobs.js'
import { jobId, ownFunctions } from './names.js'
import { template } from './template.js'

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,60}$/)
const schedule = fc.constantFrom(
  undefined,
  () => every('15m'),
  () => cron('0 6 * * MON-FRI', { timezone: 'Europe/Berlin' }),
)
const options: fc.Arbitrary<Partial<AwsOptions>> = fc.record(
  {
    encryption: fc.constantFrom('kms', 's3'),
    architecture: fc.constantFrom('arm64', 'x64'),
    archiveLock: fc.boolean(),
    audit: fc.boolean(),
    quality: fc.boolean(),
    crawlers: fc.boolean(),
    paused: fc.boolean(),
    budget: fc.integer({ min: 1, max: 1000 }),
    secrets: fc.constant({ SHOP_URL: 'shop/database#url', MORAINE_TOKEN: 'lake/token' }),
    projection: fc.boolean(),
    teams: fc.constant({ all: { read: ['bronze', 'silver', 'gold', 'history'] } }),
  },
  { requiredKeys: [] },
)

/** A lake of some chains, each of bronze, silver and gold, with names as long as they may be. */
function lakeOf(
  names: readonly string[],
  schedules: readonly ((() => any) | undefined)[],
  deploy: any,
) {
  const chains = names.map((own, i) => {
    const when = schedules[i % schedules.length]?.()
    const raw = bronze(own, {
      from: inbox({ format: 'jsonl' }),
      archive: i % 2 === 0,
      ...(when ? { schedule: when } : {}),
    })
    const valid = silver(own, {
      from: raw,
      schema: z.object({ id: t.bigint() }),
      key: 'id',
      keep: '20d',
    })
    const sum = gold(own, {
      query: sql`select count(*) as n from ${valid}`,
      ...(i % 3 === 0 ? { schedule: after([valid]) } : {}),
    })
    return sum
  })
  return defineLake({ name: 'random', deploy, datasets: chains })
}

describe('a template', () => {
  it('is one that CloudFormation takes, whatever the lake', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 12 }),
        fc.array(schedule, { minLength: 1, maxLength: 4 }),
        options,
        (names, schedules, more) => {
          const deploy = aws({ region: 'ap-southeast-1', ...more })
          const lake = lakeOf(names, schedules, deploy)
          const made = template(lake, deploy)
          expect(faultsOf(made)).toEqual([])
          expect(template(lake, deploy)).toEqual(made)
        },
      ),
      { numRuns: 12 },
    )
  })

  it('has under 300 resources for 100 datasets, and is split before it has 500', () => {
    const deploy = aws({ region: 'eu-central-1' })
    const chains = (count: number) =>
      lakeOf(
        Array.from({ length: count }, (_, i) => `data_${i}`),
        [undefined],
        deploy,
      )
    const countOf = (made: ReturnType<typeof template>) =>
      made.stacks.map((one) => Object.keys(one.template.Resources).length)
    const hundred = template(manyDatasets(100, deploy), deploy)
    expect(countOf(hundred).reduce((a, b) => a + b)).toBeLessThan(300)
    const large = template(chains(90), deploy)
    expect(large.stacks.length).toBeGreaterThan(2)
    expect(Math.max(...countOf(large))).toBeLessThan(500)
    expect(faultsOf(large)).toEqual([])
  })
})

describe('a lake of several stacks that is deployed again', () => {
  const deploy = aws({ region: 'eu-central-1' })
  const named = (count: number, what = 'data') =>
    Array.from({ length: count }, (_, i) => `${what}_${i}`)
  const made = (names: readonly string[], more = {}, placed = new Map<string, string>()) => {
    const own = aws({ region: 'eu-central-1', ...more })
    return template(lakeOf(names, [undefined], own), own, { placed })
  }
  const homes = ({ stacks }: ReturnType<typeof template>) =>
    new Map(
      stacks.flatMap(({ name, template: { Resources } }) =>
        Object.keys(Resources).map((id) => [id, name] as const),
      ),
    )
  /** Where jobs lie, as a deployment finds them. */
  const placedIn = (before: ReturnType<typeof template>) => {
    const home = homes(before)
    const jobs = deployedJobs(lakeOf(named(90), [undefined], deploy)).map((job) => job.name)
    return new Map(
      [...jobs, ...ownFunctions].flatMap((name) => {
        const found = home.get(`${jobId({ name })}Function`)
        return found === undefined ? [] : [[name, found] as const]
      }),
    )
  }
  const before = made(named(90))
  const placed = placedIn(before)

  it.each([
    ['without some of its first jobs', named(90).slice(10)],
    ['with others in front', [...named(12, 'first'), ...named(90)]],
    ['with others behind', [...named(90), ...named(20, 'last')]],
    ['in another order', named(90).reverse()],
  ])('leaves everything in its stack: %s', (_, names) => {
    const after = made(names, {}, placed)
    expect(faultsOf(after)).toEqual([])
    const [was, is] = [homes(before), homes(after)]
    const moved = [...is].filter(([id, home]) => was.has(id) && was.get(id) !== home)
    expect(moved).toEqual([])
  })

  it('is refused where its jobs need more than their stack has room for, with what to do', () => {
    const glued = () => made(named(90), { glue: {} }, placed)
    expect(glued).toThrowError(/Stack random would have \d+ resources, .* has at most 500/)
    expect(faultsOf(made(named(90), { glue: {} }))).toEqual([])
  })
})

it('a team of many members is refused, as IAM would', () => {
  const team = (count: number) => {
    const members = Array.from(
      { length: count },
      (_, i) => `arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_${i}`,
    )
    const deploy = aws({ region: 'eu-central-1', teams: { all: { read: ['gold'], members } } })
    return template(lakeOf(['orders'], [undefined], deploy), deploy)
  }
  expect(faultsOf(team(10))).toEqual([])
  expect(() => team(40)).toThrowError(/trust policy .* IAM takes 2048/)
})

describe('a large lake', () => {
  const deploy = aws({ region: 'ap-southeast-1' })
  const names = (count: number) =>
    Array.from({ length: count }, (_, i) => `a_dataset_with_quite_a_long_name_${i}`)
  /** All datasets in one job, which somebody runs by hand. */
  const byHand = (count: number) =>
    defineLake({
      name: 'large',
      deploy,
      datasets: names(count).map((own) => {
        const raw = bronze(own, { from: files(`s3://somewhere/${own}/*.csv`) })
        const valid = silver(own, { from: raw, schema: z.object({ id: t.bigint() }), key: 'id' })
        return gold(own, { query: sql`select count(*) as n from ${valid}` })
      }),
    })
  /** A job for half of them. */
  const inHalves = (count: number) => {
    const half = (from: number) =>
      names(count).map((own) => {
        const raw = bronze(`${own}_${from}`, { from: files(`s3://somewhere/${own}/*.csv`) })
        return silver(`${own}_${from}`, {
          from: raw,
          schema: z.object({ id: t.bigint() }),
          key: 'id',
        })
      })
    const all = half(0)
    const over = gold('over', {
      query: sql`${all.map((one) => sql`select id from ${one}`).reduce((a, b) => sql`${a} union all ${b}`)}`,
      schedule: every('1h'),
    })
    return defineLake({ name: 'large', deploy, datasets: [over, ...half(1)] })
  }

  it('has a role with room for a job of all of its datasets, which is told whole layers', () => {
    expect(faultsOf(template(byHand(20), deploy))).toEqual([])
    expect(faultsOf(template(byHand(120), deploy))).toEqual([])
  })

  it('is refused where a role has no room for what a job does, with what to do', () => {
    expect(faultsOf(template(inHalves(15), deploy))).toEqual([])
    expect(() => template(inHalves(70), deploy)).toThrowError(
      /The role of (gold\.over|by-hand) would need \d+ policies of 6144 characters, and a role has at most 10/,
    )
  })

  it('exports nothing for each job from stack to stack', () => {
    const chains = (count: number) =>
      lakeOf(
        Array.from({ length: count }, (_, i) => `data_${i}`),
        [() => every('1h')],
        deploy,
      )
    expect(faultsOf(template(chains(150), deploy))).toEqual([])
  }, 60_000)
})

/** As lakes are: a schedule for each source, a table of each, and gold over some. */
function manyDatasets(count: number, deploy: any) {
  const sources = Math.floor(count * 0.35)
  const all = Array.from({ length: sources }, (_, i) => {
    const raw = bronze(`source_${i}`, {
      from: inbox({ format: 'jsonl', path: `s3://drop/${i}` }),
      schedule: every('1h'),
    })
    return silver(`source_${i}`, { from: raw, schema: z.object({ id: t.bigint() }), key: 'id' })
  })
  const views = Array.from({ length: count - 2 * sources }, (_, i) =>
    gold(`view_${i}`, { query: sql`select count(*) as n from ${all[i % sources] as any}` }),
  )
  return defineLake({ name: 'hundred', deploy, datasets: [...all, ...views] })
}
