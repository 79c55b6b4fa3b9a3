import { expect, it, onTestFinished } from 'vitest'
import type { Silver } from '../define/model.js'
import { DuckDB } from '../engine/duckdb/duckdb.js'
import { SqlError } from '../engine/sql-error.js'
import { MoraineError } from '../errors.js'
import { emptyState } from '../log/fold.js'
import { MemoryStorage } from '../storage/memory.js'
import { Batches } from './batches.js'
import { Relations } from './relations.js'

const orders = { tier: 'silver', name: 'orders' } as Silver

it('a step that is stopped while it makes its inputs known stops no other that reads them', async () => {
  const engine = await DuckDB.start({ threads: 1 })
  onTestFinished(() => engine.close())
  const relations = new Relations(new MemoryStorage(), emptyState)
  const [stopped, ...others] = [await engine.open(), await engine.open(), await engine.open()]
  stopped.define = async () => {
    await new Promise((resolve) => setTimeout(resolve))
    throw new SqlError('', new Error('INTERRUPT Error: Interrupted!'))
  }
  const all = await Promise.allSettled(
    [stopped, ...others].map((session) => relations.define(session, [orders])),
  )
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  for (const session of others) expect(await session.rows('FROM silver.orders')).toEqual([])
})

it('what storage gave no answer for is asked for again by the next step', async () => {
  const engine = await DuckDB.start({ threads: 1 })
  onTestFinished(() => engine.close())
  const state = { orders: { metadata: 'silver/orders/v1.json', definition: {} } }
  const view = { ...emptyState, tables: { 'silver.orders': state.orders as never } }
  let asked = 0
  const late = new MoraineError('storage', 'It gave no answer', { retryable: true })
  const relations = new Relations(new MemoryStorage(), view, undefined, {
    load: () => Promise.reject(++asked === 1 ? late : new Error('it answers')),
    has: async () => true,
  })
  const [session, other] = [await engine.open(), await engine.open()]
  const both = [session, other].map((one) => relations.define(one, [orders]))
  for (const one of both) await expect(one).rejects.toBe(late)
  await expect(relations.define(other, [orders])).rejects.toThrow('it answers')

  const batches = new Batches(new MemoryStorage(), async () => {
    if (++asked === 3) throw late
    return { format: 2, columns: ['a'], files: [] } as never
  })
  const pointer = { manifest: 'bronze/orders/1.json' } as never
  await expect(batches.manifests([pointer])).rejects.toBe(late)
  expect(await batches.manifests([pointer])).toMatchObject([{ columns: ['a'] }])
})
