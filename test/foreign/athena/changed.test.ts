import { afterAll, beforeAll, expect, it } from 'vitest'
import { Asked } from '../../integration/athena/asked.js'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'
import { python, readBy } from '../readers.js'

withService('PyIceberg', [python], () => {
  let lake: ServedLake
  beforeAll(async () => {
    lake = await servedLake()
  })
  afterAll(() => lake?.close())

  it('reads the rows that MERGE, UPDATE, DELETE and OPTIMIZE have left, in files of every kind', async () => {
    const client = new Asked(lake)
    await client.done('CREATE SCHEMA scratch')
    await client.done(`CREATE TABLE orders (id bigint, part string, qty int, tags array<string>)
      PARTITIONED BY (part) TBLPROPERTIES ('table_type'='ICEBERG')`)
    const truth = new Map<number, { part: string; qty: number | null }>()
    await client.done(`INSERT INTO orders
      SELECT salesid, CASE WHEN salesid % 2 = 0 THEN 'even' ELSE 'odd' END, qty, ARRAY[buyer] FROM silver.sales`)
    for (let id = 0; id < 2500; id++)
      truth.set(id, { part: id % 2 === 0 ? 'even' : 'odd', qty: (id % 8) + 1 })
    await client.done('UPDATE orders SET qty = NULL WHERE id % 5 = 0')
    for (const [id, row] of truth) if (id % 5 === 0) row.qty = null
    await client.done("DELETE FROM orders WHERE qty = 3 OR (part = 'odd' AND id > 2400)")
    for (const [id, { part, qty }] of truth)
      if (qty === 3 || (part === 'odd' && id > 2400)) truth.delete(id)
    await client.done(`MERGE INTO orders o USING (SELECT salesid + 1000 AS id, qty FROM silver.sales WHERE salesid % 3 = 0) s ON o.id = s.id
      WHEN MATCHED AND o.qty IS NULL THEN DELETE
      WHEN MATCHED THEN UPDATE SET qty = s.qty, part = 'moved'
      WHEN NOT MATCHED THEN INSERT (id, part, qty) VALUES (s.id, 'new', s.qty)`)
    for (let from = 0; from < 2500; from += 3) {
      const [id, qty] = [from + 1000, (from % 8) + 1]
      const old = truth.get(id)
      if (old?.qty === null) truth.delete(id)
      else truth.set(id, { part: old ? 'moved' : 'new', qty })
    }
    await client.done("INSERT INTO orders VALUES (9999, 'even', 1, NULL)")
    truth.set(9999, { part: 'even', qty: 1 })
    const expected = [...truth].map(([id, row]) => ({ id, ...row })).sort((a, b) => a.id - b.id)
    const seen = async () => {
      const { metadata } = await client.pointer('orders')
      const table = { name: 'orders', metadata: lake.storage.locate(metadata), filters: [] }
      const { orders } = await readBy('pyiceberg', [table])
      const rows = (orders?.rows ?? []).map(({ id, part, qty }) => ({ id, part, qty }))
      return { rows: rows.sort((a, b) => Number(a.id) - Number(b.id)), files: orders?.files ?? [] }
    }
    const before = await seen()
    expect(before.rows).toEqual(expected)
    expect(before.files.length).toBeGreaterThan(4)
    await client.done('OPTIMIZE orders REWRITE DATA USING BIN_PACK')
    const after = await seen()
    expect(after.rows).toEqual(expected)
    expect(after.files.length).toBe(4)
    const own = await client.rows('SELECT id, part, qty FROM orders ORDER BY id LIMIT 1000')
    expect(own).toEqual(
      expected
        .slice(0, own.length)
        .map(({ id, part, qty }) => [String(id), part, qty === null ? null : String(qty)]),
    )
  })
})
