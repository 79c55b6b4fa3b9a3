import { describe, expect, it } from 'vitest'
import { bronze, gold, silver, sql, t, z } from '../index.js'
import type { BatchPointer, TableState } from '../log/commit.js'
import { files, http, inbox, ingest } from '../source/index.js'
import { hash } from '../step/context.js'
import { decide } from './decide.js'
import type { View } from './decision.js'
import { definitionOf } from './fingerprint.js'

const options = { full: false, hash, now: new Date('2026-01-20T12:00:00Z') }
const empty: View = { tables: {}, views: {}, batches: {}, offsets: {} }
const schema = z.object({ id: t.int() })

function batch(number: number, more: Partial<BatchPointer> = {}): BatchPointer {
  return {
    dataset: 'bronze.orders',
    number,
    batch: `${number}`,
    manifest: `${number}.json`,
    rows: 2,
    bytes: 9,
    ...more,
  }
}

describe('what is decided for a dataset', () => {
  const raw = bronze('orders', { from: files('orders/*.csv') })
  const orders = silver('orders', { from: raw, schema, key: 'id' })
  const table = {
    metadata: 'orders-1',
    rows: 2,
    definition: definitionOf(orders, hash),
  } as TableState

  const built: View = {
    ...empty,
    tables: { 'silver.orders': table },
    batches: { 'bronze.orders': [batch(1)] },
    offsets: { 'silver.orders': { 'bronze.orders': 1 } },
  }
  const then = (...batches: BatchPointer[]) => ({
    ...built,
    batches: { 'bronze.orders': [batch(1), ...batches] },
  })

  const kinds = {
    inbox: inbox(),
    ingest: ingest(),
    http: http('https://example.org/orders'),
  }
  for (const [kind, from] of Object.entries(kinds))
    it(`is nothing while its source has given no rows, and no columns: ${kind}`, () => {
      const input = bronze('orders', { from })
      const read = silver('orders', { from: input, schema })
      const counted = gold('counted', { query: sql`select count(*) as n from ${input}` })
      for (const dataset of [read, counted])
        expect(decide(dataset, empty, options)).toEqual({
          action: 'none',
          reason: 'bronze.orders has no data yet',
        })
      const arrived = { ...empty, batches: { 'bronze.orders': [batch(1)] } }
      for (const dataset of [read, counted])
        expect(decide(dataset, arrived, options)).toMatchObject({ action: 'build', mode: 'full' })
    })

  it('is a build of what its definition says alone, where it names the columns', () => {
    const named = bronze('orders', { from: inbox({ columns: ['id'] }) })
    const read = silver('orders', { from: named, schema })
    expect(decide(read, empty, options)).toMatchObject({ action: 'build', mode: 'full' })
  })

  it('is what its new batches ask for', () => {
    expect(decide(orders, built, options)).toEqual({
      action: 'none',
      reason: 'its inputs have not changed',
    })
    expect(decide(orders, then(batch(2)), options)).toMatchObject({
      mode: 'incremental',
      windows: [{ dataset: 'bronze.orders', batches: [batch(2)] }],
    })
    expect(decide(orders, then(batch(2, { fullExtract: true })), options)).toMatchObject({
      mode: 'full',
      reason: 'bronze.orders has a new batch of 2 rows, which is a full extract',
    })
  })

  it('says that a full build would lose what was made of batches that have expired', () => {
    const view: View = {
      ...built,
      batches: { 'bronze.orders': [batch(2)] },
      expired: { 'bronze.orders': 1 },
    }
    const requested = decide(orders, view, { ...options, full: true })
    expect(requested).toMatchObject({ mode: 'full', lost: ['bronze.orders'] })
    expect(decide(orders, view, options)).not.toHaveProperty('lost')
  })

  it('computes no part, and looks nothing up, in batches of which some have expired', () => {
    const input = bronze('orders', { from: inbox(), keep: '30d' })
    const query = sql`select id, count(*) as n from ${input} group by id`
    const counted = gold('counted', { query, incremental: { by: 'id' } })
    const other = bronze('others', { from: inbox() })
    const found = sql`(select max(o.id) from ${input} as o where o.id = id)`
    const read = silver('read', { from: other, schema, select: { id: found } })
    const state = (dataset: typeof counted | typeof read, driving: string[]) =>
      ({ ...table, definition: definitionOf(dataset, hash), drivingInputs: driving }) as TableState
    const view: View = {
      ...empty,
      tables: {
        'gold.counted': state(counted, ['bronze.orders']),
        'silver.read': state(read, []),
      },
      batches: {
        'bronze.orders': [batch(2), batch(3)],
        'bronze.others': [batch(1, { dataset: 'bronze.others' })],
      },
      offsets: {
        'gold.counted': { 'bronze.orders': 2 },
        'silver.read': { 'bronze.orders': 3, 'bronze.others': 0 },
      },
    }
    const expired = { ...view, expired: { 'bronze.orders': 1 } }
    for (const dataset of [counted, read]) {
      expect(decide(dataset, view, options)).toMatchObject({ mode: 'incremental' })
      expect(decide(dataset, expired, options)).toMatchObject({
        mode: 'full',
        lost: ['bronze.orders'],
      })
    }
    // What came before a full extract is not missing.
    const whole = [batch(2, { fullExtract: true }), batch(3)]
    const again = { ...expired, batches: { ...view.batches, 'bronze.orders': whole } }
    for (const dataset of [counted, read])
      expect(decide(dataset, again, options)).toMatchObject({ mode: 'incremental' })
  })
})
