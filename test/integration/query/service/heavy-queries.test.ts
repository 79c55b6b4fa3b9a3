import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Caller } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { type ServiceLake, serviceLake } from './lake.js'

/** Mebibytes of the machine, as the system tells them to programs in a function of Lambda. */
const MACHINE = 6000

// It is looked at as modules are loaded.
vi.hoisted(() => {
  process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = '6000'
})

let made: ServiceLake
let service: QueryService
let boss: Caller
beforeAll(async () => {
  made = await serviceLake()
  const [bi] = made.lake.workgroups
  // All of them run at the same time.
  const workgroups = [{ ...bi, concurrency: 16 }] as typeof made.lake.workgroups
  service = new QueryService({ ...made, lake: { ...made.lake, workgroups } })
  boss = await made.as('boss-token-0001')
})
afterAll(async () => {
  await service.close()
  await made.close()
  delete process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE
})

const ROWS = 500_000
/** Queries that hold more than their memory, and what they give. */
const heavy: ((k: number) => [sql: string, count: number | undefined])[] = [
  (k) => [
    `select count(*) from (select row_number() over (order by hash(i + ${k}), repeat(i::varchar, 8)) as n from range(${ROWS}) t(i)) where n > 10`,
    ROWS - 10,
  ],
  (k) => [
    `select count(*) from range(${ROWS}) a(i) join (select i, repeat(i::varchar, 8) as text from range(${ROWS}) t(i)) b on hash(a.i + ${k}) = hash(b.i + ${k}) where length(b.text) > 0`,
    ROWS,
  ],
  (k) => [
    `select count(*) from (select i + ${k} as g, max(repeat(i::varchar, 8)) as most from range(${ROWS}) t(i) group by 1) where most <> ''`,
    ROWS,
  ],
  // Nothing of it can be put aside.
  (k) => [`select len(list(repeat(i::varchar, 50))) + ${k} from range(100000000) t(i)`, undefined],
]

it.skipIf(process.platform !== 'linux')(
  'sixteen heavy queries at a time are answered, or told that they need too much, within the memory of queries',
  async () => {
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, residentOfQueries())
    }, 20)
    const all = await Promise.allSettled(
      Array.from({ length: 16 }, async (_, i) => {
        const [sql, count] = heavy[i % heavy.length]?.(i) ?? ['', 0]
        return [await only(sql), count]
      }),
    )
    clearInterval(watch)
    for (const [i, one] of all.entries()) {
      const isGreedy = i % heavy.length === heavy.length - 1
      if (one.status === 'rejected')
        expect([i, one.reason]).toEqual([i, expect.objectContaining({ kind: 'limit' })])
      else expect([i, isGreedy, one.value[0]]).toEqual([i, false, one.value[1]])
    }
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(6)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(0.75 * MACHINE * 2 ** 20)
    expect(await only('select count(*) from silver.orders')).toBe(240)
  },
  600_000,
)

/** The one value of an answer. */
async function only(sql: string): Promise<number> {
  await using answer = await service.query({ principal: boss, sql })
  for await (const [row] of answer.rows) return Number(row?.[0])
  throw new Error('there are no rows')
}

/** Bytes that processes of queries hold together. */
function residentOfQueries(): number {
  return readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '))
    .filter((pid) => pid !== '')
    .reduce((sum, pid) => sum + residentOf(pid), 0)
}

function residentOf(pid: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    // It has ended.
    return 0
  }
}
