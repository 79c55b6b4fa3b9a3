import { describe, expect, it } from 'vitest'
import { faultsOf } from '../../../../test/support/cloudformation.js'
import { bronze, defineLake, every } from '../../../index.js'
import { inbox } from '../../../source/index.js'
import { aws } from '../../options/aws.js'
import type { AwsOptions } from '../../options/options.js'
import type { LakeDeployment } from '../lake-deployment.js'
import { stacksFor } from '../plan-for.js'
import { absent, type Before } from '../survey.js'
import { pausedIn, withPaused } from './schedules.js'
import type { Stack } from './stack.js'

interface Said extends Partial<Omit<AwsOptions, 'jobs'>> {
  jobs?: number
  isScheduled?: boolean
  /** What the lake's log says of where objects lie, where it was looked at. */
  lie?: ReadonlyMap<string, readonly string[]>
}

/** The stacks of a lake, deployed after others. */
function deployed({ jobs = 1, isScheduled, lie, ...options }: Said, last: readonly Stack[] = []) {
  const deploy = aws({ region: 'eu-central-1', ...options })
  const schedule = isScheduled ? { schedule: every('1h') } : {}
  const datasets = Array.from({ length: jobs }, (_, i) =>
    bronze(`orders_${i}`, { from: inbox(), ...schedule }),
  )
  const lake = defineLake({ name: 'shop', deploy, datasets })
  const before = last.map(
    ({ name, template }): Before => ({ ...absent(name), status: 'UPDATE_COMPLETE', template }),
  )
  const known = lie ? { olderFolders: lie } : {}
  const of = { lake, deploy, before, known, account: undefined, prefix: 'shop', taken: [] }
  const stacks = stacksFor(of as unknown as LakeDeployment)
  expect(faultsOf({ stacks: stacks as never })).toEqual([])
  return stacks
}

const resourcesIn = (stacks: readonly Stack[], name: string) =>
  Object.keys(stacks.find((one) => one.name === name)?.template.Resources ?? {})

/** What earlier stacks would take away while a later one has it still. */
function takenAway(before: readonly Stack[], after: readonly Stack[]): string[] {
  const exportsOf = (stacks: readonly Stack[]) => [
    ...JSON.stringify(stacks.map(({ template }) => template.Outputs)).matchAll(/"Name":"([^"]+)"/g),
  ]
  const there = new Set(exportsOf(after).map(([, name]) => name))
  const used = JSON.stringify(before.map(({ template }) => template.Resources))
  const imports = [...used.matchAll(/"Fn::ImportValue":"([^"]+)"/g)].map(([, name]) => name ?? '')
  return imports.filter((name) => !there.has(name))
}

describe('what another stack still imports stays for one deployment', () => {
  it('of a warehouse that is computed with no more, which then stays for good', () => {
    const subnets = [1, 2, 3].map((n) => `subnet-0123456789abcdef${n}`)
    const redshift = { subnets, securityGroups: ['sg-0123456789abcdef0'] }
    const before = deployed({ redshift })
    const after = deployed({}, before)
    expect(takenAway(before, after)).toEqual([])
    expect(resourcesIn(after, 'shop')).not.toContain('WarehouseGroup')
    const whole = ['Warehouse', 'RedshiftRole']
    expect(resourcesIn(after, 'shop-base')).toEqual(expect.arrayContaining(whole))
    expect(resourcesIn(deployed({}, after), 'shop-base')).toEqual(expect.arrayContaining(whole))
    // The first deployment of a lake without one has none.
    expect(resourcesIn(deployed({}), 'shop-base')).not.toContain('Warehouse')
  })

  it('of schedules of a large lake, and goes with the next', () => {
    const before = deployed({ jobs: 90, isScheduled: true })
    expect(before.map(({ name }) => name)).toContain('shop-2')
    const after = deployed({ jobs: 90 }, before)
    expect(takenAway(before, after)).toEqual([])
    expect(resourcesIn(after, 'shop')).toEqual(
      expect.arrayContaining(['Schedules', 'SchedulerRole']),
    )
    const next = deployed({ jobs: 90 }, after)
    expect(takenAway(after, next)).toEqual([])
    expect(resourcesIn(next, 'shop')).not.toContain('Schedules')
    expect(resourcesIn(next, 'shop')).not.toContain('SchedulerRole')
  })
})

it('takes all that runs out of a stack that no job needs any more, until one does', () => {
  const before = deployed({ jobs: 90, isScheduled: true })
  const after = deployed({ jobs: 10, isScheduled: true }, before)
  expect(takenAway(before, after)).toEqual([])
  expect(after.map(({ name }) => name)).toEqual(['shop-base', 'shop', 'shop-2'])
  expect(resourcesIn(after, 'shop-2')).toEqual(['Nothing'])
  expect(deployed({ jobs: 10, isScheduled: true }, after)).toEqual(after)
  const again = deployed({ jobs: 90, isScheduled: true }, after)
  expect(again.map(({ name }) => name)).toEqual(['shop-base', 'shop', 'shop-2'])
  expect(resourcesIn(again, 'shop-2')).not.toContain('Nothing')
})

it('keeps what a job reaches under an earlier name where the lake can not be looked at', () => {
  const inSales = (stacks: readonly Stack[]) => JSON.stringify(stacks).includes('/bronze/sales/*')
  const looked = deployed({ lie: new Map([['bronze.orders_0', ['bronze/sales/']]]) })
  expect(inSales(looked)).toBe(true)
  const offline = deployed({}, looked)
  expect(offline).toEqual(looked)
  expect(deployed({}, offline)).toEqual(looked)
  // Who looks again, and finds nothing there any more, takes it away.
  expect(inSales(deployed({ lie: new Map() }, offline))).toBe(false)
})

describe('a job that is paused', () => {
  const pausedOf = (stacks: readonly Stack[]) =>
    stacks.flatMap(({ template }) => [...pausedIn(template)]).sort()
  /** The same stacks, after `moraine deploy --pause` or `--resume`. */
  const byHand = (stacks: readonly Stack[], ids: readonly string[]) =>
    stacks.map((one) => ({ ...one, template: withPaused(one.template, new Set(ids)) }))

  it('by lake.ts runs again once that does not say so any more', () => {
    const before = deployed({ jobs: 2, isScheduled: true, paused: true })
    const all = pausedOf(before)
    expect(all.length).toBeGreaterThan(3)
    expect(pausedOf(deployed({ jobs: 2, isScheduled: true, paused: true }, before))).toEqual(all)
    const one = deployed({ jobs: 2, isScheduled: true, paused: ['bronze.orders_0'] }, before)
    expect(pausedOf(one)).toEqual(all.filter((id) => id.startsWith('BronzeOrders0')))
    expect(pausedOf(deployed({ jobs: 2, isScheduled: true }, one))).toEqual([])
  })

  it('by hand stays so, whatever lake.ts has paused and resumed meanwhile', () => {
    const running = deployed({ jobs: 2, isScheduled: true })
    const first = pausedOf(deployed({ jobs: 2, isScheduled: true, paused: ['bronze.orders_0'] }))
    const before = byHand(running, first)
    const after = deployed({ jobs: 2, isScheduled: true, paused: ['bronze.orders_1'] }, before)
    expect(pausedOf(after)).toEqual(expect.arrayContaining(first))
    expect(pausedOf(deployed({ jobs: 2, isScheduled: true }, after))).toEqual(first)
    // Also one that lake.ts paused before it was resumed and paused by hand.
    const ids = pausedOf(after)
    const again = byHand(byHand(after, []), ids)
    expect(pausedOf(deployed({ jobs: 2, isScheduled: true }, again))).toEqual(ids)
    // And who resumes it has it run with the next deployment as well.
    expect(pausedOf(deployed({ jobs: 2, isScheduled: true }, byHand(after, [])))).toEqual([])
  })
})

it('says of a job that is resumed that it runs, rather than nothing', () => {
  const [, running] = deployed({ isScheduled: true })
  const [, paused] = deployed({ isScheduled: true, paused: true })
  expect(pausedIn(paused?.template).size).toBeGreaterThan(1)
  const resumed = withPaused(paused?.template as Stack['template'], new Set())
  expect(resumed.Resources).toEqual(running?.template.Resources)
  const queued = Object.keys(resumed.Resources).filter((id) => /^Bronze.*Messages$/.test(id))
  expect(queued.map((id) => resumed.Resources[id]?.Properties?.Enabled)).toEqual([true])
})
