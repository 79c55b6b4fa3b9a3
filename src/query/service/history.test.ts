import { expect, it } from 'vitest'
import { allRights } from '../../define/access/rights.js'
import { MoraineError } from '../../errors.js'
import { OwnSecrets } from '../../secrets.js'
import { MemoryStorage } from '../../storage/memory.js'
import { QueryHistory } from './history.js'
import type { QueryRecord } from './request.js'
import { noStatistics } from './statistics.js'

const caller = { name: 'ada', rights: allRights }
const record = (more: Partial<QueryRecord>): QueryRecord => ({
  ...{ id: 'x', time: new Date(), principal: 'ada', workgroup: 'bi', sql: 'select 1' },
  ...{ error: undefined, statistics: noStatistics(), counted: 0 },
  ...more,
})
const refusal = (message: string) => new MoraineError('query', message)

it('keeps no part of a secret, wherever a text is cut', () => {
  new OwnSecrets().hide('a-known-secret-of-the-lake')
  const history = new QueryHistory(new MemoryStorage())
  const sql = `select '${'x'.repeat(9980)}a-known-secret-of-the-lake'`
  const alter = `alter user x password '${'y'.repeat(30_000)}'`
  history.add(record({ sql, error: refusal(`near ${alter}`), workgroup: 'w'.repeat(2 ** 20) }))
  history.add(record({ sql: alter, error: refusal('no ALTER here') }))
  history.add(record({ sql: 'select 1', workgroup: 'a-known-secret-of-the-lake' }))
  const [third, second, first] = history.list(caller)
  expect(first?.sql).toBe(`select '${'x'.repeat(9980)}***'`)
  expect(first?.workgroup).toBe('w'.repeat(128))
  expect(first?.error?.message).toMatch(/^near alter user x password '\*+$/)
  expect(second?.sql).toBe(`alter user x password '${'*'.repeat(10_000 - 23)}`)
  expect(third?.workgroup).toBe('***')
})

it('holds on to so many bytes, however long what was asked is', () => {
  const history = new QueryHistory(new MemoryStorage())
  for (let i = 0; i < 3000; i++) history.add(record({ id: `${i}`, sql: 'z'.repeat(20_000) }))
  const kept = history.list(caller)
  expect(kept[0]?.id).toBe('2999')
  expect(kept.length).toBeGreaterThan(1000)
  expect(kept.reduce((sum, { sql }) => sum + 2 * sql.length, 0)).toBeLessThan(32 * 2 ** 20)
})

it('reads a day of many objects, some at a time', async () => {
  let [reading, most] = [0, 0]
  class Counting extends MemoryStorage {
    override async readIfPresent(path: string) {
      most = Math.max(most, ++reading)
      await new Promise(setImmediate)
      reading--
      return super.readIfPresent(path)
    }
  }
  const storage = new Counting()
  for (let i = 0; i < 300; i++) {
    const line = JSON.stringify({
      time: `2026-01-01T00:00:00.${i}Z`,
      sql: `select ${i}`,
      workgroup: '',
    })
    await storage.createIfAbsent(
      `_moraine/queries/2026-01-01/${i}.jsonl`,
      new TextEncoder().encode(`${line}\n`),
    )
  }
  expect(await new QueryHistory(storage).load('2026-01-01')).toHaveLength(300)
  expect(most).toBeLessThanOrEqual(32)
})
