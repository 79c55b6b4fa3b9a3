import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planJson } from '../../../src/cli/output/plan.js'
import { makePlan } from '../../../src/cli/planned.js'
import type { LakeState } from '../../../src/log/commit.js'
import { CommitLog } from '../../../src/log/log.js'
import type { RunEvent, RunRecord, StepResult } from '../../../src/step/events.js'
import { amount } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * `moraine plan` and a run have the same plan: over random lakes that change from run to run, a run
 * does what the plan said, for the reasons that it gave, in an order that it allows, and leaves
 * nothing out. What the plan said to depend on other steps goes as it said where these changed
 * nothing.
 */

interface Definition {
  source: 'files' | 'exports' | 'inbox'
  /** Whether batches expire. */
  batchesExpire: boolean
  key: boolean
  history: boolean
  /** Whether rows of silver expire. */
  rowsExpire: boolean
  rule: 'none' | 'warn' | 'small' | 'large'
  looksUp: boolean
  /** A column more, which is NULL in all rows. */
  extra: boolean
  incremental: boolean
  /** Another query, or a view. */
  total: 'sum' | 'max'
  view: boolean
}

const flag = fc.boolean()
const definition: fc.Arbitrary<Definition> = fc.record({
  source: fc.constantFrom('files', 'files', 'exports', 'inbox'),
  batchesExpire: flag,
  key: flag,
  history: flag,
  rowsExpire: flag,
  rule: fc.constantFrom('none', 'warn', 'small', 'large'),
  looksUp: flag,
  extra: flag,
  incremental: flag,
  total: fc.constantFrom('sum', 'max'),
  view: flag,
})

const sources = {
  files: "files('orders/*.csv')",
  exports: "files('orders/*.csv', { full: true })",
  inbox: "inbox({ settle: '0ms' })",
}
const rules = {
  none: '',
  warn: "rule('is small', sql`amount < 5`, { severity: 'warn' }),",
  small: "rule('is small', sql`amount < 5`),",
  large: "rule('is small', sql`amount < 8`),",
}

function lakeOf(d: Definition): string {
  // Versions are kept for ever, and a full extract does not say when a row went.
  const history = d.key && d.history && !d.rowsExpire && d.source !== 'exports'
  // Files that stay where they are would be read again.
  const expires = d.source === 'inbox' && d.batchesExpire
  const looked = d.looksUp ? "rule('is in a shop', sql`shop in (select shop from ${shops})`)," : ''
  return `
import { bronze, defineLake, gold, history, rule, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('orders', { from: ${sources[d.source]}${expires ? ", keep: '20d'" : ''} })
const places = bronze('shops', { from: files('shops/*.csv') })
const shops = silver('shops', { from: places, schema: z.object({ shop: t.int(), city: z.string() }), key: 'shop' })
const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.int(), day: t.date(), amount: t.int(), shop: t.int(),
    ${d.extra ? 'note: z.string().nullish(),' : ''}
  }),
  rules: [${rules[d.rule]}${looked}],
  ${d.key ? "key: 'id', cursor: 'day'," : ''}
  ${history ? 'history: true,' : ''}
  ${d.rowsExpire ? "keep: { for: '30d', by: 'day' }," : ''}
})
const days = gold('days', {
  query: sql\`select day, ${d.total}(amount) as total, count(*) as n from \${orders} group by day\`,
  ${d.incremental ? "incremental: { by: 'day' }," : ''}
})
const cities = gold('cities', {
  query: sql\`select day, coalesce(city, '') as city, count(*) as n from \${orders} left join \${shops} using (shop) group by all\`,
  ${d.incremental ? "incremental: { by: 'day' }," : ''}
})
const read = gold('read', { query: sql\`select count(*) as n from \${places}\` })
const weeks = gold('weeks', {
  query: sql\`select date_trunc('week', day) as week, sum(total) as total from \${days} group by 1\`,
  view: ${d.view},
})
${history ? "const steps = gold('steps', { query: sql`select count(*) as n from ${history(orders)}` })" : ''}
export default defineLake({
  name: 'planned',
  datasets: [raw, places, shops, orders, days, cities, read, weeks${history ? ', steps' : ''}],
})
`
}

const row = fc
  .tuple(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 28 }),
    fc.integer({ min: 0, max: 9 }),
    fc.integer({ min: 1, max: 3 }),
  )
  .map(
    ([id, day, amount, shop]) => `${id},2026-01-${String(day).padStart(2, '0')},${amount},${shop}`,
  )

interface Round {
  /** What becomes of the definition. */
  change: Partial<Definition>
  orders: { file: number; rows: string[] } | null
  shops: { file: number; rows: string[] } | null
  select: readonly string[]
  full: boolean
  /** Days that have passed. */
  later: number
}

const selections = [
  ['orders'],
  ['silver.orders'],
  ['+gold.cities'],
  ['bronze.orders+'],
  ['bronze'],
  ['gold'],
  ['days', 'shops'],
]
const seldom = <T>(what: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: what })
const round: fc.Arbitrary<Round> = fc.record({
  change: seldom(
    definition.chain((all) =>
      fc
        .constantFrom(...(Object.keys(all) as (keyof Definition)[]))
        .map((name) => ({ [name]: all[name] }) as Partial<Definition>),
    ),
    {},
  ),
  orders: fc.option(
    fc.record({ file: fc.integer({ min: 1, max: 4 }), rows: fc.array(row, { maxLength: 4 }) }),
    { freq: 3 },
  ),
  shops: fc.option(
    fc.record({
      file: fc.integer({ min: 1, max: 2 }),
      rows: fc.array(fc.constantFrom('1,Bern', '1,Chur', '2,Genf'), { maxLength: 2 }),
    }),
    { freq: 2 },
  ),
  select: seldom(fc.constantFrom<readonly string[]>(...selections), []),
  full: fc.oneof(
    { weight: 6, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  later: fc.constantFrom(0, 0, 0, 1, 15, 40),
})

interface Decided {
  action: string
  mode?: string
  reason: string
}

interface Said extends Decided {
  dataset: string
  after?: string[]
  decidedAfter?: string[]
  otherwise?: Decided
  older?: string
}

interface Told {
  steps: Said[]
  expire?: { dataset: string; after: string[] }[]
}

/** What a run did: its record, and the steps that it began. */
interface Done {
  record: RunRecord
  begun: ReadonlyMap<string, { reason: string; mode?: string }>
  before: LakeState
  after: LakeState
}

/** Holds what a run did against what its plan had said. */
function compare({ steps, expire = [] }: Told, done: Done): void {
  const { record, before, after } = done
  expect(record.error).toBeUndefined()
  const names = steps.map(({ dataset }) => dataset)
  expect(record.steps.map(({ dataset }) => dataset).sort()).toEqual([...names].sort())
  const place = (name: string) => record.steps.findIndex(({ dataset }) => dataset === name)
  for (const said of steps) {
    for (const earlier of said.after ?? [])
      expect(place(earlier), `${earlier} before ${said.dataset}`).toBeLessThan(place(said.dataset))
    compareStep(said, steps, record.steps[place(said.dataset)] as StepResult, done)
  }
  // Batches expire of datasets of which that was said.
  for (const name of Object.keys(after.expired ?? {}))
    if (after.expired?.[name] !== before.expired?.[name])
      expect(expire.map(({ dataset }) => dataset)).toContain(name)
}

function compareStep(
  said: Said,
  told: readonly Said[],
  result: StepResult,
  { record, begun, before, after }: Done,
): void {
  const { outcome, error } = result
  const started = begun.get(said.dataset)
  const what = `${JSON.stringify(said)}\n${JSON.stringify({ ...result, started })}`
  const outcomeOf = (name: string) => record.steps.find(({ dataset }) => dataset === name)?.outcome
  if (outcome === 'blocked') {
    const stopped = (said.after ?? []).map(outcomeOf)
    expect(stopped.includes('failed') || stopped.includes('blocked'), what).toBe(true)
    return
  }
  if (outcome === 'failed') {
    const foreseen =
      said.action === 'error' ||
      said.older !== undefined ||
      started?.reason.includes('has expired some of its rows') ||
      error?.hint?.includes('has no columns yet')
    expect(foreseen, `${what}\n${error?.message}`).toBe(true)
    if (said.action === 'error') return
  }
  const isNew = (name: string) =>
    JSON.stringify(before.batches[name] ?? []) !== JSON.stringify(after.batches[name] ?? []) ||
    before.tables[name]?.metadata !== after.tables[name]?.metadata
  const decides = (said.decidedAfter ?? []).filter(isNew)
  if (decides.length === 0) {
    const { action, mode, reason } = said.otherwise ?? said
    expect(action !== 'none', what).toBe(started !== undefined)
    expect(started?.reason ?? result.reason, what).toBe(reason)
    expect(started?.mode, what).toBe(action === 'build' ? mode : undefined)
    return
  }
  // Its inputs have changed: what was to be built is built, from all rows at the most where the
  // plan hoped for less.
  if (said.action === 'build') expect(started, what).toBeDefined()
  // What is done was planned, unless what decided it was none that the plan expected to change.
  const isExpected = (name: string) =>
    ['intake', 'build'].includes(told.find(({ dataset }) => dataset === name)?.action ?? '')
  if (started && decides.some(isExpected)) expect(said.action, what).toBe('build')
  // Where rows of an input expire for the first time, parts that were made of them stay.
  const expires = decides.some(
    (name) =>
      before.tables[name]?.retention?.expiredBefore !==
      after.tables[name]?.retention?.expiredBefore,
  )
  if (said.mode === 'full' && decides.length === said.decidedAfter?.length && !expires)
    expect(started?.mode, what).toBe('full')
  const named = [...(started?.reason ?? '').matchAll(/(bronze|silver|gold)\.\w+/g)].map(([n]) => n)
  const known = `${said.reason} ${said.otherwise?.reason} ${said.decidedAfter}`
  for (const name of named) expect(known, what).toContain(name)
}

it('is what a run does', async () => {
  const seen = new Map<string, number>()
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  await fc.assert(
    fc.asyncProperty(
      definition,
      fc.array(round, { minLength: 3, maxLength: 5 }),
      async (first, rounds) => {
        const project = await Project.create({
          'orders/0.csv': 'id,day,amount,shop\n1,2026-01-05,3,1\n',
          'shops/0.csv': 'shop,city\n3,Basel\n',
        })
        let current = first
        let now = Date.parse('2026-01-20T12:00:00Z')
        for (const { change, orders, shops, select, full, later } of rounds) {
          current = { ...current, ...change }
          now += later * 86_400_000
          const folder = current.source === 'inbox' ? 'lake/bronze/landing/orders' : 'orders'
          const of = (header: string, rows: string[]) => [header, ...rows, ''].join('\n')
          await project.write({
            'lake.ts': lakeOf(current),
            ...(orders
              ? { [`${folder}/${orders.file}.csv`]: of('id,day,amount,shop', orders.rows) }
              : {}),
            ...(shops ? { [`shops/${shops.file}.csv`]: of('shop,city', shops.rows) } : {}),
          })
          const { storage } = project
          const lake = await project.load()
          const time = new Date(now)
          const known = lake.datasets.map(({ tier, name }) => `${tier}.${name}`)
          const chosen = select.filter((one) => one !== 'steps' || known.includes(one))
          const planned = await makePlan(
            { lake, storage, log: new CommitLog(storage) },
            chosen,
            full,
            { now: time },
          )
          const told = JSON.parse(JSON.stringify(planJson(planned))) as Told
          const before = await project.state()
          const begun = new Map<string, { reason: string; mode?: string }>()
          const record = await project.run({
            select: chosen,
            full,
            allowBreaking: true,
            now: () => time,
            onEvent: (event: RunEvent) => {
              if (event.type === 'step-started') begun.set(event.dataset, event)
            },
          })
          const after = await project.state()
          compare(told, { record, begun, before, after })
          for (const { action, mode, decidedAfter } of told.steps)
            for (const kind of [action, mode, decidedAfter && 'decided later'])
              if (kind) count(kind)
        }
      },
    ),
    { numRuns: amount(8, 24), seed, endOnFailure: true },
  )
  // All kinds of decisions are among them, or this holds nothing.
  for (const kind of ['intake', 'none', 'build', 'full', 'incremental', 'decided later'])
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(0)
})
