import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from '../../support/project.js'
import { type ServedShop, secrets, serveShop } from '../../support/served-shop.js'
import { withService } from '../../support/services.js'

const { MORAINE_CLIENTS: clients, MORAINE_PGJDBC: driver } = process.env
const python = join(clients ?? '', 'bin/python')
const here = join(repository, 'test/foreign/postgres')

withService('psycopg, SQLAlchemy and pgjdbc', [clients, driver], () => {
  let shop: ServedShop
  beforeAll(async () => {
    shop = await serveShop()
  })
  afterAll(() => shop?.close())

  const run = async (program: string, args: readonly string[]) => {
    const all = [...args, String(shop.port), secrets.ADA]
    return (await promisify(execFile)(program, all, { maxBuffer: 2 ** 26 })).stdout
  }

  it('psycopg and SQLAlchemy read, inspect, stream and copy', async () => {
    const seen = JSON.parse(await run(python, [join(here, 'clients_psycopg.py')]))
    expect(seen).toMatchObject({
      schemas: ['bronze', 'discarded', 'gold', 'information_schema', 'silver'],
      ...{ tables: ['daily'], silver: ['orders'], views: [], comment: 'Orders of the shop' },
      keys: [[], [], [], [], []],
      has: [true, false, true],
      rows: [
        [1, '12.50', '2024-01-31', '2024-02-01 10:00:00.123456+00:00'],
        [2, '0.10', '1999-12-31', '2000-01-01 00:00:00+00:00'],
        [3, '99999.99', '2024-02-29', null],
      ],
      ...{ total: '100012.59', unqualified: 3, page: [[2]] },
      described: ['day', 'revenue', 'orders'],
      binary: [
        ...['1.50', '2020-02-29', '1999-12-31 23:59:59+00:00', '12:00:00.500000'],
        ...['428 days, 0:00:00', ['a', null], "b'ab'", true],
        ...['f81d4fae-7dec-11d0-a765-00a0c91e6bf6', { a: [1, 2] }],
        '170141183460469231731687303715884105727',
      ],
      streamed: [0, 1, 2, 3, 4],
      copied: [
        ['1', 'first'],
        ['2', null],
        ['3', 'quote " and, comma'],
      ],
      prepared: [[[1]], [[2]], []],
      cursors: ['0.00', '0.00'].map((first) => [
        [
          [0, first],
          [1, '1.00'],
        ],
        ...[23, null],
      ]),
      chunks: [10, 10, 5],
      pipeline: [[1], [2]],
      error: ['42703', '8'],
      write: '25006',
    })
    expect(seen.columns.slice(0, 5)).toEqual([
      ['id', 'BIGINT', expect.any(Boolean), 'Number of the order'],
      ['customer', 'TEXT', expect.any(Boolean), null],
      ['amount', 'NUMERIC(10, 2)', expect.any(Boolean), null],
      ['ordered_on', 'DATE', expect.any(Boolean), null],
      ['paid_at', 'TIMESTAMP', true, null],
    ])
  })

  it('JDBC finds all that there is, and reads it as texts and in binary', async () => {
    const lines = (await run('java', ['-cp', driver as string, join(here, 'Jdbc.java')])).trim()
    expect(lines.split('\n')).toEqual([
      'plain: most answered, failed:',
      'catalogs: shop;',
      'schemas: bronze|shop;discarded|shop;gold|shop;information_schema|shop;pg_catalog|shop;silver|shop;',
      'tables: shop|bronze|orders|TABLE|null|;shop|discarded|orders|TABLE|null|;shop|gold|daily|TABLE|Revenue by day|;shop|silver|orders|TABLE|Orders of the shop|;',
      'columns: shop|silver|orders|id|-5|int8;shop|silver|orders|customer|12|text;shop|silver|orders|amount|2|numeric;shop|silver|orders|ordered_on|91|date;shop|silver|orders|paid_at|93|timestamptz;shop|silver|orders|note|12|text;shop|silver|orders|_loaded_at|93|timestamptz;shop|silver|orders|_batch|12|text;',
      ...['primary keys: ', 'imported keys: ', 'exported keys: ', 'cross reference: ', 'indexes: '],
      'row identifier: ',
      'table privileges: shop|gold|daily|ada|ada|SELECT;',
      // The driver knows of no columns that can only be read.
      expect.stringMatching(/^column privileges: (shop.gold.daily.day.ada.ada;)+$/),
      ...[
        'procedures: ',
        'procedure columns: ',
        'functions: ',
        'function columns: ',
        'user types: ',
      ],
      'rows: 1|12.50|2024-01-31|first;2|0.10|1999-12-31|null;3|99999.99|2024-02-29|quote " and, comma;',
      'prepared: 42|1.50|2020-02-29|2020-02-29 01:02:03.000004|1 bytes|true|1.0E10|[1, 2]|f81d4fae-7dec-11d0-a765-00a0c91e6bf6|10:00:00|0.5;',
      'in parts: 35',
      'array: 1;3;',
      'time: 1;',
      'described: 3 date',
      'valid: true',
      'schema: silver 3;',
      'write: failed 25006',
      'timeout: failed 57014',
      'after: 1;',
    ])
  })
})
