import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

  it('share what memory it is left with, also in the instance that takes its place', async () => {
    const engine = await DuckDB.start({ threads: 1, memory: 2 ** 30 })
    const session = await engine.open()
    const limit = () => session.rows("SELECT current_setting('memory_limit') AS bytes")
    expect(await limit()).toEqual([{ bytes: '1.0 GiB' }])
    await engine.limitMemory(2 ** 28)
    expect(await limit()).toEqual([{ bytes: '256.0 MiB' }])
    const { connection } = (session as never as { statements: { connection: object } }).statements
    const lost = new Error('FATAL Error: the database has been invalidated')
    Object.assign(connection, { runAndReadAll: () => Promise.reject(lost) })
    await session.rows('SELECT 1 AS a').catch(() => {})
    expect(await limit()).toEqual([{ bytes: '256.0 MiB' }])
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

describe('a result that comes as it is computed', () => {
  const late = `SELECT repeat('y', 50) || range AS pad,
    CAST(CASE WHEN range = 90000 THEN 'bad' ELSE range::VARCHAR END AS DOUBLE) AS n FROM range(100000)`

  it('fails where its query fails, also after many rows, and says why', async () => {
    const engine = await DuckDB.start({ threads: 2 })
    const session = await engine.open()
    const all = async (sql: string, values?: unknown[]) => {
      const { batches } = await session.stream(sql, values as never)
      let rows = 0
      for await (const batch of batches) rows += batch.length
      return rows
    }
    const failing = (text: string) => text.replace('90000', '$1').replace('DOUBLE', 'INT')
    const said = await all(`\n${failing(late)}`, [90000]).catch((error) => error)
    expect(said.message).toBe("Conversion Error: Could not convert string 'bad' to INT32")
    expect(await all(failing(late), [-1])).toBe(100_000)
    await expect(all("SELECT error('bum') FROM range(90000) WHERE range > 80000")).rejects.toThrow(
      'bum',
    )
    await expect(session.numbers(`SELECT n FROM (${late})`, () => true)).rejects.toThrow("'bad'")
    await engine.close()
  })

  it('leaves no short file in a format that is written row by row', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-late-'))
    const engine = await DuckDB.start({ threads: 2 })
    const session = await engine.open()
    const to = join(folder, 'rows.avro')
    const written = session.files.writeText(
      `SELECT pad, CAST(n AS VARCHAR) AS n FROM (${late})`,
      to,
      'deflate' as never,
    )
    await expect(written).rejects.toThrow("'bad'")
    await engine.close()
    await rm(folder, { recursive: true })
  })
})
