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

  it('go on with another instance after an error that ends the engine', async () => {
    const engine = await DuckDB.start({ threads: 2 })
    const [first, second] = [await engine.open(), await engine.open()]
    await first.define('silver', 'x', 'SELECT 1 AS a')
    // What DuckDB says from then on, of whatever it is asked.
    const lost = new Error(
      'FATAL Error: the database has been invalidated because of a previous fatal error',
    )
    for (const session of [first, second]) {
      const { connection } = (session as never as { statements: { connection: object } }).statements
      Object.assign(connection, { runAndReadAll: () => Promise.reject(lost) })
    }
    const failures = [first, second, first].map((one) => one.rows('SELECT 1 AS a').catch((e) => e))
    expect((await Promise.all(failures)).map(({ kind }) => kind)).toEqual(Array(3).fill('engine'))
    for (const session of [first, second]) {
      expect(await session.rows('SELECT 1 AS a')).toEqual([{ a: 1 }])
      await session.define('silver', 'y', 'SELECT 2 AS a')
      expect(await session.rows('SELECT a FROM silver.y')).toEqual([{ a: 2 }])
      await expect(session.rows('SELECT a FROM silver.x')).rejects.toThrow('x')
    }
    await engine.close()
  })

  it('end with an engine that could open just some files: another could open more', async () => {
    const engine = await DuckDB.start({ threads: 1 })
    const session = await engine.open()
    await engine.confineToFiles([import.meta.filename])
    const text = (path: string) => session.rows(`SELECT size FROM read_text('${path}')`)
    expect(await text(import.meta.filename)).toHaveLength(1)
    await expect(text(`${import.meta.dirname}/duckdb.ts`)).rejects.toThrow('Permission')
    await expect(session.run('SET threads = 2')).rejects.toThrow('locked')
    const { connection } = (session as never as { statements: { connection: object } }).statements
    const lost = new Error('FATAL Error: the database has been invalidated')
    Object.assign(connection, { runAndReadAll: () => Promise.reject(lost) })
    for (const _ of 'ab') await expect(session.rows('SELECT 1 AS a')).rejects.toThrow('invalidated')
    await engine.close()
  })

  it('say which columns a query would give without computing what is constant', async () => {
    const engine = await DuckDB.start({ threads: 1 })
    const session = await engine.open()
    let calls = 0
    const slow = session.files.addFunction((text) => {
      calls++
      return text
    })
    const columns = await session.describe(`SELECT ${slow}('a') AS a, 1 AS n`)
    expect(columns.map(({ name, sqlType }) => [name, sqlType])).toEqual([
      ['a', 'VARCHAR'],
      ['n', 'INTEGER'],
    ])
    expect(calls).toBe(0)
    expect(await session.rows(`SELECT ${slow}('a') AS a`)).toEqual([{ a: 'a' }])
    expect(calls).toBe(1)
    await engine.close()
  })
})
