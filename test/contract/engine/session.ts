import { expect, it } from 'vitest'
import type { RowValue, Session } from '../../../src/engine/engine.js'
import { SqlError } from '../../../src/engine/sql-error.js'

/** Opens a session for what `use` does. */
export async function within<T>(
  open: () => Promise<Session>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await open()
  try {
    return await use(session)
  } finally {
    session.close()
  }
}

/** SQL, and the value that programs see. */
const values: Record<string, [sql: string, value: RowValue]> = {
  'a bigint': ["CAST('-9223372036854775808' AS BIGINT)", -(2n ** 63n)],
  'a decimal': ["CAST('-0.50' AS DECIMAL(38, 2))", '-0.50'],
  'a long decimal': [
    "CAST('12345678901234567890123456789012345678' AS DECIMAL(38, 0))",
    '12345678901234567890123456789012345678',
  ],
  'a double': ["CAST('-1e-300' AS DOUBLE)", -1e-300],
  'a date before 1970': ["CAST('0001-12-31' AS DATE)", '0001-12-31'],
  'a leap day': ["CAST('2024-02-29' AS DATE)", '2024-02-29'],
  'a time before 1970': [
    "CAST('1969-12-31 23:59:59.999999' AS TIMESTAMP)",
    '1969-12-31T23:59:59.999999',
  ],
  'a moment': [
    "CAST('2024-03-31 02:30:00+02:00' AS TIMESTAMP WITH TIME ZONE)",
    '2024-03-31T00:30:00.000000Z',
  ],
  'a text': ["'é😀''\"\\'", 'é😀\'"\\'],
  'an empty text': ["''", ''],
  'a text that begins with a byte order mark': ["'\uFEFFa'", '\uFEFFa'],
  'a boolean': ['1 < 0', false],
  NULL: ['CAST(NULL AS DATE)', null],
}

export function sessionContract(open: () => Promise<Session>): void {
  it.each(Object.entries(values))('gives %s as programs see it', async (_, [sql, value]) => {
    const rows = await within(open, (session) => session.rows(`SELECT ${sql} AS v`))
    expect(rows).toEqual([{ v: value }])
  })

  it('keeps the rows of a query, and adds to them by the names of columns', () =>
    within(open, async (session) => {
      const kept = await session.materialize("SELECT 1 AS a, 'x' AS b")
      await session.insert(kept, "SELECT 'y' AS b, 2 AS a")
      const shown = await session.view(`SELECT a, b FROM ${kept.sql} WHERE a > 1`)
      expect(await session.rows(`SELECT a, b FROM ${shown.sql}`)).toEqual([{ a: 2, b: 'y' }])
      await session.insert(kept, 'SELECT 3 AS a')
      const later = await session.rows(`SELECT b FROM ${shown.sql} ORDER BY a`)
      expect(later).toEqual([{ b: 'y' }, { b: null }])
    }))

  it('adds texts to a relation, counted from a number', () =>
    within(open, async (session) => {
      const to = await session.materialize(
        'SELECT CAST(0 AS BIGINT) AS n, CAST(NULL AS VARCHAR) AS t LIMIT 0',
      )
      const texts = ['', '\ufeffx', null, '😀']
      await session.append(to, 5, [texts])
      const sql = `SELECT t FROM ${to.sql} ORDER BY n`
      expect(await session.texts(sql)).toEqual([texts])
      expect(await session.rows(`SELECT min(n) AS a, max(n) AS b FROM ${to.sql}`)).toEqual([
        { a: 5n, b: 8n },
      ])
    }))

  it('streams rows with their columns, however many there are', () =>
    within(open, async (session) => {
      const ten = Array.from({ length: 10 }, (_, i) => `(${i})`).join(', ')
      const digits = await session.materialize(`SELECT x FROM (VALUES ${ten}) AS v(x)`)
      const from = 'abcd'.split('').map((name) => `${digits.sql} AS ${name}`)
      const sum = 'a.x + 10 * b.x + 100 * c.x + 1000 * d.x'
      const result = await session.stream(
        `SELECT CAST(${sum} AS BIGINT) AS n FROM ${from.join(' CROSS JOIN ')}`,
      )
      expect(result.columns.map(({ name, type }) => [name, type])).toEqual([
        ['n', { kind: 'bigint' }],
      ])
      let [rows, total] = [0, 0n]
      for await (const batch of result.batches)
        for (const { n } of batch) {
          rows++
          total += n as bigint
        }
      expect([rows, total]).toEqual([10_000, 49_995_000n])
      const taken: number[] = []
      await session.numbers(
        `SELECT CAST(x AS DOUBLE) AS x FROM ${digits.sql} ORDER BY x`,
        (n) => taken.push(n) < 3,
      )
      expect(taken).toEqual([0, 1, 2])
    }))

  it('says which columns a query gives without running it', () =>
    within(open, async (session) => {
      const sql = 'SELECT CAST(1 AS DECIMAL(9, 2)) AS a, CAST(\'none\' AS DATE) AS "b c"'
      const columns = await session.describe(sql)
      expect(columns.map(({ name, type }) => [name, type])).toEqual([
        ['a', { kind: 'decimal', precision: 9, scale: 2 }],
        ['b c', { kind: 'date' }],
      ])
    }))

  it('shows all sessions what is defined, until that is taken back, and others nothing of its own', () =>
    within(open, (one) =>
      within(open, async (other) => {
        await one.define('silver', 'a "b"', 'SELECT 1 AS x')
        await one.defineHere('mine', 'SELECT 2 AS x')
        const sql = 'SELECT x FROM "silver"."a ""b"""'
        expect(await other.rows(sql)).toEqual([{ x: 1 }])
        await one.define('silver', 'a "b"', 'SELECT 3 AS x')
        expect(await other.rows(sql)).toEqual([{ x: 3 }])
        expect(await one.rows('SELECT x FROM mine')).toEqual([{ x: 2 }])
        await expect(other.rows('SELECT x FROM mine')).rejects.toThrow('mine')
        for (const _ of 'ab') await one.undefine('silver', 'a "b"')
        await expect(other.rows(sql)).rejects.toThrow()
      }),
    ))

  it('says where SQL is wrong', () =>
    within(open, async (session) => {
      const error = await session.rows('SELECT 1\nFROM nowhere').catch((cause) => cause)
      expect(error).toBeInstanceOf(SqlError)
      expect(error).toMatchObject({ kind: 'engine', line: 2, near: 'nowhere' })
      expect(await session.rows('SELECT 1 AS a')).toEqual([{ a: 1 }])
    }))

  it.each([
    ['a value', "SELECT CAST(t AS DATE) AS d FROM (SELECT 'no day' AS t) AS r", 'value'],
    ['a value', 'SELECT CAST(n AS INTEGER) AS i FROM (SELECT 1e18 AS n) AS r', 'value'],
    ['how it is written', 'SELECT nothing FROM (SELECT 1 AS a) AS r', undefined],
  ])('tells what fails by %s: %s', (_, sql, failedBy) =>
    within(open, async (session) => {
      const error = await session.rows(sql).catch((cause) => cause)
      expect(error).toBeInstanceOf(SqlError)
      expect(error.failedBy).toBe(failedBy)
    }),
  )

  it('tells which expressions can not be tried by themselves', () =>
    within(open, async (session) => {
      const { attempt } = session.dialect.values
      for (const expression of [
        '(SELECT max(b) FROM (SELECT 2 AS b) AS q)',
        'a IN (SELECT 2 AS b)',
        'sum(a) OVER ()',
        'max(a)',
      ]) {
        const tried = `SELECT ${attempt(expression)} AS t FROM (SELECT 1 AS a) AS r`
        const error = await session.describe(tried).catch((cause) => cause)
        expect([expression, error.failedBy]).toEqual([expression, 'trying'])
      }
      expect(
        await session.describe(`SELECT ${attempt('a')} AS t FROM (SELECT 1 AS a) AS r`),
      ).toHaveLength(1)
    }))

  it('stops what it does when it is told to, and goes on', () =>
    within(open, async (session) => {
      const some = Array.from({ length: 1000 }, (_, i) => `(${i})`).join(', ')
      const rows = await session.materialize(`SELECT x FROM (VALUES ${some}) AS v(x)`)
      const from = 'abcde'.split('').map((name) => `${rows.sql} AS ${name}`)
      const endless = session.rows(
        `SELECT count(*) AS n FROM ${from.join(' CROSS JOIN ')} WHERE a.x + b.x + c.x + d.x + e.x < 0`,
      )
      expect(session.progress()).toBeLessThan(100)
      const failed = expect(endless).rejects.toThrow()
      const timer = setInterval(() => session.interrupt(), 20)
      await failed
      clearInterval(timer)
      expect(await session.rows('SELECT 1 AS a')).toEqual([{ a: 1 }])
    }))
}
