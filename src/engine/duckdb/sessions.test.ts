import { describe, expect, it } from 'vitest'
import { DuckDB } from './duckdb.js'

describe('sessions of one engine', () => {
  it('make relations known at the same time', async () => {
    for (let i = 0; i < 30; i++) {
      const engine = await DuckDB.start({ threads: 2 })
      const sessions = await Promise.all(Array.from({ length: 6 }, () => engine.open()))
      await Promise.all(
        sessions.map((session, n) => session.define('silver', `t${n}`, `SELECT ${n} AS n`)),
      )
      const all = sessions.map((_, n) => `SELECT n FROM silver.t${n}`).join(' UNION ALL ')
      expect(await sessions[0]?.rows(`SELECT sum(n) AS s FROM (${all})`)).toEqual([{ s: 15n }])
      await engine.close()
    }
  })
})
