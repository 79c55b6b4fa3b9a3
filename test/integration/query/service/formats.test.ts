import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { machineMemory } from '../../../../src/process/memory.js'
import { queryMemory } from '../../../../src/query/budget.js'
import { parquet } from '../../../../src/query/formats/parquet.js'
import type { QueryAnswer } from '../../../../src/query/service/request.js'
import { Spool } from '../../../../src/query/service/spool.js'
import { abortController } from '../../../../src/signals.js'
import { withService } from '../../../support/services.js'
import { until } from '../../../support/until.js'
import { overHttp } from './lake.js'

let made: Awaited<ReturnType<typeof overHttp>>
let app: Hono
beforeAll(async () => {
  made = await overHttp()
  app = made.app
})
afterAll(() => made.close())

const ARROW = 'application/vnd.apache.arrow.stream'
const PARQUET = 'application/vnd.apache.parquet'

const ask = (sql: string, accept: string) =>
  app.request('http://localhost/query', {
    method: 'POST',
    headers: { authorization: 'Bearer boss-token-0001', accept },
    body: JSON.stringify({ sql }),
  })

let files = 0

/** A result in a file, as clients would save it. */
async function saved(sql: string, accept: string): Promise<string> {
  const answer = await ask(sql, accept)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, accept])
  const path = join(made.folder, `result-${++files}.${accept.split('.').at(-1)}`)
  await writeFile(path, Buffer.from(await answer.arrayBuffer()))
  return path
}

/** A column of each type, with what is at its edges; the last row has nothing but NULL. */
const edges = `
  select * from (values
    (1, true, 127::tinyint, (-2147483648)::int, 9223372036854775807, 18446744073709551615::ubigint,
     -170141183460469231731687303715884::hugeint, 1.5::float, '-0.0'::double, -12345678901234567.89::decimal(19,2),
     date '1969-12-31', timestamp '1900-01-01 00:00:00.000001', timestamptz '2024-02-29 23:59:59.999999+02',
     'ä "q" \u{1F600}' || chr(10), '\\x00\\xFF\\x41'::blob, [1, null, 3], {'a': 1, 'b c': [{'x': 'y'}]}, time '10:00:01'),
    (2, false, -128, 2147483647, -9223372036854775808, 0, 0, 'nan', 'infinity', 0, date '9999-12-31',
     timestamp '2262-04-11 23:47:16.854775', timestamptz '1970-01-01 00:00:00+00', '', ''::blob, [], {'a': null, 'b c': null}, time '00:00:00'),
    (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)
  ) as t(n, bool, tiny, i, big, ubig, huge, f, d, dec, day, ts, tz, txt, bin, list, rec, tod) order by n`

describe('results of the query service', () => {
  it('come as Parquet, with their types and every value', async () => {
    const path = await saved(edges, PARQUET)
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run("set timezone = 'UTC'")
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson()
    const kept = `select n, bool, tiny::tinyint, i, big, ubig::ubigint, huge::hugeint, f, d, dec, day, ts, tz, txt, bin, list, rec, tod::time from '${path}'`
    expect(await rows(kept)).toEqual(await rows(edges))
    const types = await rows(
      `select string_agg(column_type, ' ') from (describe select big, dec, day, ts, tz, bin, list from '${path}')`,
    )
    expect(types).toEqual([
      ['BIGINT DECIMAL(19,2) DATE TIMESTAMP TIMESTAMP WITH TIME ZONE BLOB INTEGER[]'],
    ])
  })

  it('are Parquet files with their columns where there are no rows', async () => {
    const path = await saved('select id, note as "a ""b""" from silver.orders where false', PARQUET)
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const found = await connection.runAndReadAll(
      `select column_name from (describe from '${path}')`,
    )
    expect(found.getRows()).toEqual([['id'], ['a "b"']])
  })

  it('fail with a status before the first rows are sent', async () => {
    for (const accept of [ARROW, PARQUET, 'text/csv']) {
      const answer = await ask('select no_such from silver.orders', accept)
      expect([accept, answer.status]).toEqual([accept, 400])
      expect((await answer.json()) as object).toMatchObject({ error: { kind: 'query' } })
    }
    const late = await ask('select cast(note as int) from silver.orders', PARQUET)
    expect(late.status).toBe(400)
  })

  it('as Parquet have dates and times of any year, wherever they stand', async () => {
    const sql = `select date '20202-01-01' as d, timestamp '12000-05-06 07:08:09.000001' as t,
      timestamptz '10000-01-01 00:00:00+00' as z, [date '12000-01-01', date '2020-01-01'] as l,
      {'a': [{'b': date '99999-12-31'}]} as s, date '0044-03-15 (BC)' as bc, '+01 is a text' as x`
    const path = await saved(sql, PARQUET)
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run("set timezone = 'UTC'")
    const rows = async (text: string) => (await connection.runAndReadAll(text)).getRowsJson()
    expect(await rows(`from '${path}'`)).toEqual(await rows(sql))
  })

  it('that a file cannot hold say so, and what to do', async () => {
    for (const accept of [ARROW, PARQUET])
      for (const [sql, hint] of [
        ['select row(1, 2) as r', 'Name them'],
        ["select [row(timestamptz '2020-01-01', 2)] as r", 'Name them'],
        ['select (-170141183460469231731687303715884105728)::hugeint as h', 'to VARCHAR'],
      ] as const) {
        const answer = await ask(sql, accept)
        const { error } = (await answer.json()) as { error: object }
        expect([sql, answer.status, error]).toEqual([
          sql,
          400,
          expect.objectContaining({ kind: 'query', hint: expect.stringContaining(hint) }),
        ])
      }
  })

  it('are written within the memory of queries: a file waits for those that run', async () => {
    const total = Math.floor(machineMemory() * 0.75)
    const grant = await queryMemory.take(total, { most: total, patience: 60_000 })
    const gone = abortController()
    async function* rows() {
      yield [[1]]
    }
    const answer = { columns: [{ name: 'x', type: 'INTEGER' }], rows: rows() }
    const first = parquet(answer, gone.signal).next()
    await until('the file waits', async () => queryMemory.waitingNow > 0)
    gone.abort(new Error('the client has gone'))
    await expect(first).rejects.toThrow('the client has gone')
    grant.giveBack()
    expect((await ask('select 1 as x', PARQUET)).status).toBe(200)
  })

  it('leave others room on the disk', async () => {
    let written = 0
    const batch = Array.from({ length: 1000 }, (_, i) => [`${i}`.padEnd(4000, 'x')])
    // A disk of 2 GB with room for some batches.
    const disk = () => ({ size: 2e9, free: 2e8 - written })
    async function* rows() {
      for (let i = 0; i < 50; i++, written += 4e6) yield batch
    }
    const columns = [{ name: 'x', type: 'VARCHAR' }]
    const answer = { columns, rows: rows() } as unknown as QueryAnswer
    await expect(parquet(answer, undefined, disk).next()).rejects.toMatchObject({ kind: 'limit' })
    expect(written).toBeLessThan(1e8)
    written = 0
    await using spool = Object.assign(new Spool({ most: 1e6, disk }), {
      [Symbol.asyncDispose]: () => spool.close(),
    })
    const keep = async () => {
      for await (const some of rows()) await spool.add(some)
    }
    await expect(keep()).rejects.toMatchObject({ kind: 'limit' })
    expect(written).toBeLessThan(1e8)
  })

  const { MORAINE_PYTHON } = process.env
  withService('PyArrow and DuckDB in Python', [MORAINE_PYTHON], () => {
    const read = async (path: string, script: string) => {
      const begin = `import pyarrow as pa, pyarrow.ipc as ipc, json, sys\nt = ipc.open_stream(open(sys.argv[1], 'rb')).read_all()\nt.validate(full=True)\n`
      const { stdout } = await promisify(execFile)(
        MORAINE_PYTHON as string,
        ['-c', begin + script, path],
        { maxBuffer: 2 ** 26 },
      )
      return JSON.parse(stdout)
    }

    it('read Arrow, with its types and every value', async () => {
      const path = await saved(edges, ARROW)
      const { types, rows, duck } = await read(
        path,
        `import duckdb
duckdb.sql("set timezone = 'UTC'")
names = 'n bool tiny::tinyint i big ubig::ubigint huge::hugeint f d dec day ts tz txt bin list rec tod::time'.split()
duck = duckdb.sql('select to_json(x) from (select ' + ', '.join(n + ' as ' + n.split(':')[0] for n in names) + ' from t) x').fetchall()
print(json.dumps({'types': [str(f.type) for f in t.schema], 'rows': t.num_rows, 'duck': [r[0] for r in duck]}))`,
      )
      expect(types).toEqual([
        ...[
          'int32',
          'bool',
          'int32',
          'int32',
          'int64',
          'decimal128(20, 0)',
          'decimal128(38, 0)',
          'float',
          'double',
        ],
        ...[
          'decimal128(19, 2)',
          'date32[day]',
          'timestamp[us]',
          'timestamp[us, tz=UTC]',
          'string',
          'binary',
        ],
        ...['list<item: int32>', 'struct<a: int32, b c: list<item: struct<x: string>>>', 'string'],
      ])
      expect(rows).toBe(3)
      const connection = await (await DuckDBInstance.create(':memory:')).connect()
      await connection.run("set timezone = 'UTC'")
      const own = await connection.runAndReadAll(`select to_json(x) from (${edges}) x`)
      expect(duck).toEqual(own.getRowsJson().map(([row]) => row))
    })

    it('read many batches, whose rows are those of the lake', async () => {
      const sql = `select o.id * 240 + x.i as n, case when x.i % 3 = 0 then note end as note
        from silver.orders o, unnest(range(0, 240)) as x(i)`
      const path = await saved(sql, ARROW)
      const found = await read(
        path,
        `import pyarrow.compute as pc
print(json.dumps([t.num_rows, pc.sum(t['n']).as_py(), t['note'].null_count, len(pc.unique(t['note']))]))`,
      )
      const total = 240 * 240
      expect(found).toEqual([total, (total * (total - 1)) / 2, (total * 2) / 3, 241])
      const none = await saved('select id from silver.orders where false', ARROW)
      expect(await read(none, 'print(json.dumps([t.num_rows, t.schema.names]))')).toEqual([
        0,
        ['id'],
      ])
    })
  })
})
