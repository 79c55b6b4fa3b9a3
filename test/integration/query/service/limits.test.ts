import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RowValue } from '../../../../src/engine/engine.js'
import type { Caller, QueryRequest } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { Questions } from '../../../../src/serve/postgres/session/questions.js'
import { Settings } from '../../../../src/serve/postgres/sql/settings.js'
import { abortController } from '../../../../src/signals.js'
import { until } from '../../../support/until.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let service: QueryService
let boss: Caller
let analyst: Caller
beforeAll(async () => {
  made = await serviceLake()
  service = new QueryService(made)
  boss = await made.as('boss-token-0001')
  analyst = await made.as('analyst-token-01')
})
afterAll(async () => {
  await service.close()
  await made.close()
})

async function ask(request: Partial<QueryRequest> & { sql: string }, of = service) {
  await using answer = await of.query({ principal: boss, ...request })
  const rows: RowValue[][] = []
  for await (const batch of answer.rows) rows.push(...batch)
  return { ...answer.statistics, rows }
}

describe('a workgroup', () => {
  it('refuses what would read more than it may, by what manifests say, and reads nothing', async () => {
    const whole = 'select * from silver.orders'
    await expect(ask({ sql: whole, workgroup: 'tiny' })).rejects.toMatchObject({
      kind: 'limit',
      message: expect.stringMatching(/^The query would read .* nothing was read$/),
    })
    const day = "select note from silver.orders where day = date '2025-03-15'"
    const { rows, bytesEstimated } = await ask({ sql: day, workgroup: 'tiny' })
    expect(rows).toHaveLength(20)
    expect(bytesEstimated).toBeLessThan((await ask({ sql: whole })).bytesEstimated / 10)
  })

  it('knows what a query reads that does not name its columns, or by other names', async () => {
    const bytes = async (sql: string) => (await ask({ sql, fresh: true })).bytesEstimated
    const [all, id] = [
      await bytes('select * from silver.orders'),
      await bytes('select id from silver.orders'),
    ]
    expect(id).toBeGreaterThan(0)
    for (const whole of [
      'select o from silver.orders o',
      'select count(distinct orders) from silver.orders',
      'select silver.orders from silver.orders',
      'select #1 from silver.orders',
      'select c from silver.orders as o(a, b, c)',
      'select name from silver.orders unpivot (v for name in (id, customer))',
    ])
      expect([whole, await bytes(whole)]).toEqual([whole, all])
    const joined = (how: string) =>
      bytes(`select count(*) from silver.orders o ${how.replace('_', 'silver.orders p')}`)
    expect(await joined('join _ using (id)')).toBe(2 * id)
    expect(await joined('natural join _')).toBe(2 * all)
    // A name that is a table's and a column's is the column's.
    for (const one of ['id.id', 'id'])
      expect(await bytes(`select ${one} from silver.orders as id`)).toBe(id)
    expect(await bytes('select note.id from silver.orders as note')).toBe(id)
    expect(await bytes('select silver.orders.id from silver.orders')).toBe(id)
  })

  it('needs a condition on the partitions, where it says so, and names its tables', async () => {
    const workgroup = 'partitions'
    await expect(ask({ sql: 'select note from silver.orders', workgroup })).rejects.toThrow(
      'Workgroup partitions needs a condition on day, by which silver.orders is partitioned',
    )
    const sql = "select count(*) from silver.orders where day < date '2025-02-01'"
    expect((await ask({ sql, workgroup })).rows).toEqual([[20n]])
    await expect(ask({ sql: 'from silver.customers', workgroup })).rejects.toThrow(
      'Workgroup partitions is not for silver.customers',
    )
    expect((await ask({ sql: 'select count(*) from gold.contacts', workgroup })).rows).toEqual([
      [60n],
    ])
  })

  it('is not there for those who are no members of it', async () => {
    await expect(ask({ principal: analyst, sql: 'select 1', workgroup: 'tiny' })).rejects.toThrow(
      'There is no workgroup tiny',
    )
    await expect(ask({ principal: analyst, sql: 'select 1', workgroup: 'none' })).rejects.toThrow(
      'There is no workgroup none',
    )
  })

  it('counts what its queries read in a day, also of those that run side by side', async () => {
    const now = { time: new Date('2026-01-01T23:00:00Z') }
    const [bi] = made.lake.workgroups
    const { bytesEstimated } = await ask({ sql: 'select note from silver.orders' })
    const workgroups = [
      { ...bi, maxScanPerDay: bytesEstimated * 2 + 1 },
    ] as typeof made.lake.workgroups
    const lake = { ...made.lake, workgroups }
    const limited = new QueryService({ ...made, lake, now: () => now.time })
    const sql = (i: number) => `select note as n${i} from silver.orders`
    const all = await Promise.allSettled([1, 2, 3].map((i) => ask({ sql: sql(i) }, limited)))
    expect(all.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    await expect(ask({ sql: sql(4) }, limited)).rejects.toThrow('are allowed in a day')
    now.time = new Date('2026-01-02T00:00:01Z')
    expect((await ask({ sql: sql(5) }, limited)).rows).toHaveLength(240)
    await limited.close()
  })

  it('counts a query once that PostgreSQL can only have as JSON, and the history has it once', async () => {
    const [bi] = made.lake.workgroups
    const sql = "select {'n': note} as one, customer from silver.orders order by id limit 2"
    const { bytesEstimated } = await ask({ sql, fresh: true })
    const lake = {
      ...made.lake,
      workgroups: [{ ...bi, maxScanPerDay: bytesEstimated * 2 + 1 }] as typeof made.lake.workgroups,
    }
    const now = () => new Date('2033-01-01T10:00:00Z')
    const limited = new QueryService({ ...made, lake, now })
    const asking = { caller: boss, settings: new Settings({}), database: 'shop' }
    const questions = new Questions({ ...asking, service: limited, gone: abortController().signal })
    // The second is the result of the first, which costs nothing.
    for (const isReused of [false, true]) {
      const running = await questions.run(sql)
      expect([await running.next(), await running.next()]).toEqual([
        ['{"n":"note 0"}', 0],
        ['{"n":"note 1"}', 1],
      ])
      expect(await running.next()).toBeUndefined()
      expect(running.columns.map(({ type }) => type)).toEqual(['JSON', 'INTEGER'])
      await running.close()
      const [last, ...before] = limited.history(boss).filter((one) => one.sql === sql)
      expect(last).toMatchObject({ rows: 2, reused: isReused })
      expect(last).not.toHaveProperty('error')
      expect(before).toHaveLength(isReused ? 1 : 0)
    }
    await limited.close()
  })

  it('counts what a query has read that fails with its rows, also for the next server', async () => {
    const [bi] = made.lake.workgroups
    const { bytesEstimated } = await ask({ sql: 'select note from silver.orders', fresh: true })
    const day = { ...bi, name: 'day', maxScanPerDay: bytesEstimated * 2 + 1 }
    const lake = { ...made.lake, workgroups: [day] as typeof made.lake.workgroups }
    const now = () => new Date('2031-05-01T10:00:00Z')
    const limited = new QueryService({ ...made, lake, now })
    // What it read is told by its error; nothing is by one that names no column.
    const tells = (i: number) => `select error(max(note)), ${i} from silver.orders`
    for (let i = 0; i < 5; i++)
      await expect(ask({ sql: 'select nte from silver.orders' }, limited)).rejects.toThrow('nte')
    for (const i of [1, 2]) await expect(ask({ sql: tells(i) }, limited)).rejects.toThrow('note 99')
    await expect(ask({ sql: tells(3) }, limited)).rejects.toThrow('are allowed in a day')
    await limited.close()
    const next = new QueryService({ ...made, lake, now })
    await next.resume()
    await expect(ask({ sql: tells(4) }, next)).rejects.toThrow('are allowed in a day')
    await next.close()
  })

  it('lets so many queries run, has others wait in turn, and refuses more politely', async () => {
    const workgroup = 'one'
    const slow = () =>
      ask({
        sql: `select count(*), ${Math.random()} from range(3000000) where hash(range) % 7 = 0`,
        workgroup,
      })
    const all = await Promise.allSettled(Array.from({ length: 6 }, slow))
    const refused = all.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused).toHaveLength(3)
    for (const { reason } of refused)
      expect(reason).toMatchObject({ kind: 'limit', retryable: true })
    expect((await ask({ sql: 'select 1', workgroup })).rows).toEqual([[1]])
  })

  it('stops one that takes too long, and the next one runs', async () => {
    const lake = { ...made.lake, workgroups: [], queries: { timeout: '1s' } }
    const limited = new QueryService({ ...made, lake })
    await expect(
      ask({ sql: 'select count(*) from range(100000000000) where hash(range) = 1' }, limited),
    ).rejects.toMatchObject({ kind: 'limit' })
    expect((await ask({ sql: 'select 2' }, limited)).rows).toEqual([[2]])
    await limited.close()
  })
})

it('queries that are described wait for each other, and start no more processes than that', async () => {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, queryProcesses().length)
  }, 5)
  const before = queryProcesses().length
  const all = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      service.describe({ principal: boss, sql: `select ${i} as x` }),
    ),
  )
  clearInterval(timer)
  expect(all.map(({ columns }) => columns)).toEqual(all.map(() => [{ name: 'x', type: 'INTEGER' }]))
  expect(most - before).toBeLessThan(12)
})

it('more than may wait to be described are told to come again, and none when its asker has gone', async () => {
  const describe = (signal?: AbortSignal) =>
    service.describe({ principal: boss, sql: 'select 1 as x', ...(signal ? { signal } : {}) })
  const gone = abortController()
  const all = Array.from({ length: 400 }, () => describe(gone.signal).catch((error) => error))
  gone.abort(new Error('the client has gone'))
  const kinds = (await Promise.all(all)).map(({ kind, retryable, message }) =>
    kind === 'limit' ? { kind, retryable } : message,
  )
  expect(kinds.filter((one) => one === 'the client has gone')).toHaveLength(208)
  expect(kinds).toContainEqual({ kind: 'limit', retryable: true })
  expect((await describe()).columns).toHaveLength(1)
})

/** Processes of queries that this one has started, where the system tells. */
function queryProcesses(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '))
    .filter((pid) => pid !== '')
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('query/worker'))
    .map(Number)
}

describe.skipIf(process.platform !== 'linux')('a process that dies', () => {
  it('is one query that fails, and no other', async () => {
    const { id } = service.start({
      principal: boss,
      sql: 'select count(*), max(id) from silver.orders, range(100000000000) where hash(range) = 1',
    })
    const read = () => service.execution(id, boss).statistics.bytesEstimated
    await until('the query is about to read', () => read() > 0)
    expect(service.execution(id, boss).state).toBe('running')
    for (const pid of queryProcesses()) process.kill(pid, 'SIGKILL')
    const { state, error } = await service.finished(id, boss)
    expect([state, error?.message]).toEqual([
      'failed',
      'The query process ended by SIGKILL before it was done',
    ])
    expect((await ask({ sql: 'select count(*) + 1 from silver.orders' })).rows).toEqual([[241n]])
  })
})

describe('a result that is used again', () => {
  it('is given where nothing has changed, to whoever asked, and costs nothing', async () => {
    const sql = 'select count(*), sum(amount) from silver.orders'
    const first = await ask({ sql })
    expect(first.reused).toBe(false)
    expect(await ask({ sql })).toMatchObject({
      reused: true,
      rows: first.rows,
      price: 0,
      bytesRead: 0,
    })
    expect((await ask({ sql, principal: analyst })).reused).toBe(false)
    expect((await ask({ sql: 'select ?', parameters: [1] })).rows).toEqual([[1n]])
    expect((await ask({ sql: 'select ?', parameters: ['1'] })).rows).toEqual([['1']])
  })

  it('is none where a query reads the clock or chance', async () => {
    for (const call of [
      'now()',
      'current_timestamp',
      'random()',
      'uuid()',
      "age(date '2020-01-01')",
    ]) {
      const sql = `select ${call}`
      await ask({ sql }).catch(() => {})
      const again = await ask({ sql }).catch(() => ({ reused: false }))
      expect([call, again.reused]).toEqual([call, false])
    }
    const sampled = { sql: 'select id from silver.orders using sample 5' }
    await ask(sampled)
    expect((await ask(sampled)).reused).toBe(false)
  })

  it('is none where a mask or a row filter reads the clock, of a table or of a view', async () => {
    const email = 'email || now()::varchar'
    const rules = [{ masks: {}, rows: 'now() is not null' }, { masks: { email } }]
    for (const table of ['silver.customers', 'gold.contacts'])
      for (const rule of rules) {
        const { rights } = boss
        const own = (levels: readonly string[]) =>
          levels.join('.') === table ? rule : rights.rules(levels)
        const principal = { ...boss, rights: { ...rights, rules: own } }
        const asked = { principal, sql: `select count(email) from ${table}` }
        expect([table, rule, (await ask(asked)).rows]).toEqual([table, rule, [[60n]]])
        expect([table, rule, (await ask(asked)).reused]).toEqual([table, rule, false])
      }
  })

  it('is never one that a fresh run would not give, whatever happens to the lake', async () => {
    const queries = [
      'select count(*), max(id), sum(amount) from silver.orders',
      "select note from silver.orders where day >= date '2025-12-01' order by id",
      'select count(*) from gold.contacts',
      'select sum(n) from gold.days',
      'select count(*), min(email) from silver.customers',
      'select c.region, count(*) from silver.orders o join silver.customers c on c.id = o.customer group by 1 order by 1',
      'with orders as (select 1 as x) select x, (select count(*) from silver.orders) from orders',
    ]
    let id = 1000
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...queries), fc.boolean()) },
      { weight: 1, arbitrary: fc.constant('run' as const) },
    )
    let reused = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 16 }), async (steps) => {
        for (const one of steps) {
          if (one === 'run') {
            await made.run(
              `${++id},${id % 60},${id}.25,2025-12-${String((id % 28) + 1).padStart(2, '0')},more\n`,
            )
            continue
          }
          const [sql, isBoss] = one
          const principal = isBoss ? boss : analyst
          const fresh = new QueryService(made)
          const [given, right] = [
            await ask({ sql, principal }),
            await ask({ sql, principal }, fresh),
          ]
          await fresh.close()
          expect(given.rows).toEqual(right.rows)
          expect(right.reused).toBe(false)
          if (given.reused) reused++
        }
      }),
      { numRuns: 4 },
    )
    expect(reused).toBeGreaterThan(0)
  })
})
