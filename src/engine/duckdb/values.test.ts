import { expect, it } from 'vitest'
import { DuckDB } from './duckdb.js'

it('dates beyond all others are shown as what they are, like times', async () => {
  const engine = await DuckDB.start({ threads: 1 })
  const session = await engine.open()
  const rows = await session.rows(
    `select 'infinity'::date as a, '-infinity'::date as b, 'infinity'::timestamp as c, date '9999-12-31' as d, ['-infinity'::date] as e`,
  )
  expect(rows).toEqual([
    { a: 'infinity', b: '-infinity', c: 'infinity', d: '9999-12-31', e: ['-infinity'] },
  ])
  session.close()
  await engine.close()
})
