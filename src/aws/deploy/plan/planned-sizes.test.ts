import { expect, it } from 'vitest'
import { bronze, defineLake, every, gold, silver, sql, t, z } from '../../../index.js'
import { inbox } from '../../../source/index.js'
import { aws } from '../../options/aws.js'
import type { AwsOptions } from '../../options/options.js'
import { template } from '../../template/template.js'
import { plannedSizes } from './planned-sizes.js'

const GIB = 2 ** 30

function lakeWith(options: Partial<AwsOptions> = {}) {
  const deploy = aws({ region: 'eu-central-1', ...options })
  const raw = bronze('orders', { from: inbox() })
  const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
  const total = gold('total', {
    query: sql`select count(*) as n from ${orders}`,
    schedule: every('1h'),
  })
  return { lake: defineLake({ name: 'shop', datasets: [total], deploy }), deploy }
}

/** Memory and disk of the functions of both jobs. */
function deployed(
  { lake, deploy }: ReturnType<typeof lakeWith>,
  tables: Record<string, number> | undefined,
  before: ReturnType<typeof template>['stacks'] = [],
) {
  const known = tables && new Map(Object.entries(tables))
  const sizes = plannedSizes(
    lake,
    known,
    before.map((stack) => stack.template),
  )
  const { stacks } = template(lake, deploy, { sizes })
  const found = stacks.flatMap((stack) => Object.entries(stack.template.Resources))
  const of = (id: string) => {
    const own = found.find(([name]) => name === id)?.[1].Properties
    return [own?.MemorySize, (own?.EphemeralStorage as { Size: number } | undefined)?.Size]
  }
  return { stacks, sizes: { orders: of('BronzeOrdersFunction'), total: of('GoldTotalFunction') } }
}

it('functions have memory and disk for the tables of their jobs, those that they read as well', () => {
  const small = { orders: [2048, 4096], total: [2048, 4096] }
  expect(deployed(lakeWith(), undefined).sizes).toEqual(small)
  expect(deployed(lakeWith(), { 'silver.orders': 1e6 }).sizes).toEqual(small)
  const large = { orders: [6144, 6144], total: [6144, 6144] }
  expect(deployed(lakeWith(), { 'silver.orders': 1.5 * GIB }).sizes).toEqual(large)
  expect(deployed(lakeWith(), { 'silver.orders': 900 * GIB }).sizes.orders).toEqual([10240, 10240])
  const options = { functions: { memory: '3000MiB' }, jobs: { 'gold.total': { disk: '700MiB' } } }
  expect(deployed(lakeWith(options), { 'silver.orders': 1.5 * GIB }).sizes).toEqual({
    orders: [3000, 6144],
    total: [3000, 700],
  })
})

it('a table that has grown a little, or that nobody can look at, changes no function', () => {
  const first = deployed(lakeWith(), { 'silver.orders': 1.5 * GIB })
  for (const tables of [undefined, { 'silver.orders': 1.6 * GIB }, { 'silver.orders': 1.1 * GIB }])
    expect(deployed(lakeWith(), tables, first.stacks).stacks).toEqual(first.stacks)
  const grown = deployed(lakeWith(), { 'silver.orders': 2 * GIB }, first.stacks)
  expect(grown.sizes.orders).toEqual([8192, 8192])
  // One that is a small part of what it was gives back what it no longer needs.
  const shrunk = deployed(lakeWith(), { 'silver.orders': 1e6 }, first.stacks)
  expect(shrunk.sizes.orders).toEqual([2048, 6144])
})
