import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, it } from 'vitest'
import { moraine, Project } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'

/*
 * What a crawl of a database writes loads, runs and discards nothing: over tables that have the
 * server's types, with values at their ends, in random company.
 */

/** A type, values of it as SQL, and the schema that a crawl gives it where that is worth a look. */
type Type = [type: string, values: string[], schema?: string]

const text = (word: string) => `'${word.replaceAll("'", "''")}'`
const texts = ['', ' ', 'a', "it's", 'x,"y"', 'ümläut 😀', 'line\nend', '  both  '].map(text)

const postgresTypes: Type[] = [
  ['smallint', ['-32768', '32767'], 't.int()'],
  ['integer', ['-2147483648', '0'], 't.int()'],
  ['bigint', ['-9223372036854775808', '9223372036854775807'], 't.bigint()'],
  ['numeric', ['0.1', '-12345678901234567890.5', '3'], 't.decimal(27, 1)'],
  ['numeric(12,2)', ['-9999999999.99', '0'], 't.decimal(12, 2)'],
  ['numeric(38,10)', ['1234567890123456789012345678.0123456789'], 't.decimal(38, 10)'],
  ['numeric(50,5)', ['123456789012345678901234567890123456789012345.12345'], 'z.string()'],
  ['numeric(5,-2)', ['12345'], 't.decimal(7, 0)'],
  ['numeric(2,4)', ['0.0012'], 't.decimal(4, 4)'],
  ['real', ['1.1', '-3.4e38', '1e-40'], 't.double()'],
  ['double precision', ['0.1', '1e300'], 't.double()'],
  ['money', ["'12.34'", "'-1234567.89'"], 't.decimal(19, 2)'],
  ['boolean', ['true', 'false'], 't.boolean()'],
  ['char(5)', ["'ab'", "''"], 'z.string().trim()'],
  ['varchar(30)', texts, 'z.string()'],
  ['text', texts, 'z.string()'],
  ['name', ["'pg_name'"]],
  ['"char"', ["'c'"]],
  ['bytea', ["'\\x00ff'", "''"]],
  ['date', ["'0001-01-01'", "'9999-12-31'"], 't.date()'],
  ['time', ["'23:59:59.999999'"]],
  ['timetz', ["'12:00:00+02'"]],
  ['timestamp', ["'2026-01-31 10:00:00.123456'", "'1900-01-01 00:00:00'"], 't.timestamp()'],
  ['timestamp(0)', ["'2026-01-31 10:00:00'"], 't.timestamp()'],
  ['timestamptz', ["'2026-01-31 23:59:59.5+02'"], 't.timestamptz()'],
  ['timestamptz(3)', ["'2026-01-31 23:59:59.123-09'"], 't.timestamptz()'],
  ['interval', ["'1 year 2 days 03:00'"]],
  ['uuid', ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'"], 't.uuid()'],
  ['json', ['\'{"a": [1, null]}\'', "'null'", "'1.50'"], 't.json()'],
  ['jsonb', ['\'{"a": "x,y"}\'', '\'"text"\''], 't.json()'],
  ['xml', ["'<a>b</a>'"]],
  ['point', ["'(1,2)'"]],
  ['box', ["'((0,0),(1,1))'"]],
  ['inet', ["'10.0.0.1/8'"]],
  ['cidr', ["'10.0.0.0/8'"]],
  ['macaddr', ["'08:00:2b:01:02:03'"]],
  ['bit(3)', ["B'101'"]],
  ['bit(1)', ["B'1'"], 't.boolean()'],
  ['varbit', ["B'1'"]],
  ['int[]', ["'{1,NULL,3}'", "'{}'"]],
  ['text[]', [`'{a,"b,c",NULL}'`]],
  ['mood', ["'happy'", `'it''s, or "so"'`], `z.enum(['happy', 'it\\'s, or "so"'])`],
  ['mood[]', ["'{happy}'"]],
  ['int4range', ["'[1,5)'"]],
  ['tsvector', ["'a b'"]],
  ['oid', ['4294967295'], 't.bigint()'],
  ['thing', ["ROW(1, 'x')::thing"]],
  ['amount', ['12.50'], 't.decimal(9, 2)'],
  ['mail', ["'a@b.c'"], 'z.string()'],
  ['state', ["'happy'"]],
  ['small_amount', ['1.25'], 't.decimal(9, 2)'],
  ['cash', ["'3.50'"], 't.decimal(19, 2)'],
]

/** Types with values that ours do not have: they are read as text, or as NULL. */
const postgresOdd: Type[] = [
  ['numeric', ["'NaN'", '1.5'], 'z.string()'],
  ['numeric(5,2)', ["'NaN'", '1.5'], 'z.string()'],
  ['double precision', ["'Infinity'"], 'z.string()'],
  ['real', ["'NaN'"], 'z.string()'],
  ['date', ["'infinity'", "'2026-01-01'"], 'z.string()'],
  ['timestamptz', ["'-infinity'", "'0044-03-15 12:00:00+00 BC'"], 'z.string()'],
  ['timestamp', ["'20000-01-01'"], 'z.string()'],
]

const mysqlTypes: Type[] = [
  ['tinyint', ['-128', '127'], 't.int()'],
  ['tinyint(1)', ['0', '1'], 't.boolean()'],
  ['boolean', ['true', 'false'], 't.boolean()'],
  ['smallint unsigned', ['65535'], 't.int()'],
  ['mediumint', ['-8388608'], 't.int()'],
  ['int', ['-2147483648', '2147483647'], 't.int()'],
  ['int unsigned', ['4294967295'], 't.bigint()'],
  ['int(8) unsigned zerofill', ['42'], 't.bigint()'],
  ['bigint', ['-9223372036854775808'], 't.bigint()'],
  ['bigint unsigned', ['18446744073709551615'], 't.decimal(20, 0)'],
  ['decimal(12,2)', ['-9999999999.99'], 't.decimal(12, 2)'],
  ['decimal(65,30)', ['12345678901234567890.5'], 'z.string()'],
  ['float', ['1.1', '-3.4e38'], 't.double()'],
  ['float(7,2)', ['12.5'], 't.double()'],
  ['double', ['0.1', '1e300'], 't.double()'],
  ['bit(1)', ["b'1'"], 't.boolean()'],
  ['bit(8)', ["b'101'"], 't.bigint()'],
  ['bit(64)', ['18446744073709551615'], 't.decimal(20, 0)'],
  ['char(5)', ["'ab'", "''"], 'z.string().trim()'],
  ['varchar(30)', texts, 'z.string()'],
  ['varchar(30) CHARACTER SET latin1', ["'äé'"], 'z.string()'],
  ['tinytext', texts, 'z.string()'],
  ['longtext', texts, 'z.string()'],
  ['binary(3)', ["x'00ff'"]],
  ['varbinary(9)', ["x'00ff'", "''"]],
  ['blob', ["x'00ff'"]],
  ['date', ["'1000-01-01'", "'9999-12-31'"], 't.date()'],
  ['time', ["'-838:59:59'"]],
  ['datetime', ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'"], 't.timestamp()'],
  ['datetime(6)', ["'2026-01-31 10:00:00.123456'"], 't.timestamp()'],
  ['timestamp NULL', ["'2026-01-31 10:00:00'"], 't.timestamptz()'],
  ['timestamp(6) NULL', ["'2026-01-31 10:00:00.5'"], 't.timestamptz()'],
  ['year', ['2026', '1901'], 't.int()'],
  ["enum('x', 'y,\"z', 'it''s')", ["'x'", "'it''s'"], `z.enum(['x', 'y,"z', 'it\\'s'])`],
  ["set('p', 'q')", ["'p,q'", "''"]],
  ['json', ['\'{"a": "x,y"}\'']],
  ['uuid', ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'"], 't.uuid()'],
  ['inet6', ["'::1'"]],
  ['point', ["ST_GeomFromText('POINT(1 2)')"]],
]

const mysqlOdd: Type[] = [
  ['tinyint(1)', ['0', '7'], 't.int()'],
  ['date', ["'0000-00-00'", "'2026-01-31'"], "t.date({ zeroDates: 'null' }).nullable()"],
  ['datetime', ["'0000-00-00 00:00:00'"], "t.timestamp({ zeroDates: 'null' }).nullable()"],
  ['date', ["'2026-00-10'"], 'z.string()'],
  ["enum('x', 'y')", ["'x'", "'z'"], 'z.string()'],
]

const names = ['Odd Name', 'select', 'ü', '"q"', "it's", '${x}', '`b`', 'a.b', '1st', 'UPPER']

interface Kind {
  quote(name: string): string
  types: Type[]
  odd: Type[]
  run(sql: string): Promise<unknown>
  url: string
  comment(table: string, column: string): string[]
  /** What some of the first values are, once they are in silver. */
  values: [type: string, value: unknown][]
}

async function story(kind: Kind): Promise<void> {
  const next = random(seed)
  const pick = <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T
  const tables: [name: string, types: Type[]][] = [
    ['all_types', kind.types],
    ['odd_values', kind.odd],
    ...Array.from({ length: 6 }, (_, i): [string, Type[]] => [
      `random_${i}`,
      Array.from({ length: 1 + Math.floor(next() * 9) }, () => pick(kind.types)),
    ]),
  ]
  const rows = new Map<string, number>()
  for (const [table, types] of tables) {
    const columns = types.map(([type], i) => {
      const name = table.startsWith('random') && next() < 0.3 ? `${pick(names)}${i}` : `c${i}`
      return [kind.quote(name), type] as const
    })
    const list = columns.map(([name, type]) => `${name} ${type}`)
    await kind.run(`CREATE TABLE ${table} (id int PRIMARY KEY, ${list.join(', ')})`)
    const count = Math.max(...types.map(([, values]) => values.length)) + 1
    for (let id = 1; id <= count; id++) {
      const values = types.map(([, of]) => of[id - 1] ?? (next() < 0.5 ? 'NULL' : pick(of)))
      await kind.run(`INSERT INTO ${table} VALUES (${[id, ...values].join(', ')})`)
    }
    rows.set(table, count)
  }
  await kind.run('CREATE TABLE empty (id int PRIMARY KEY, n numeric, d date)')
  rows.set('empty', 0)
  for (const sql of kind.comment('all_types', 'c0')) await kind.run(sql)

  const project = await Project.create({})
  process.env.SHOP_URL = kind.url
  const crawl = await moraine(['-C', project.folder, 'crawl', 'env:SHOP_URL'], {
    SHOP_URL: kind.url,
  })
  expect([crawl.code, crawl.stderr]).toEqual([0, ''])
  expect(crawl.stdout).toContain('about ')
  const written = await readFile(join(project.folder, 'lake.ts'), 'utf8')
  const part = (table: string) => written.split(`silver('${table}', {`)[1]?.split('\n})')[0] ?? ''
  for (const [table, types] of tables.slice(0, 2))
    for (const [i, [type, , schema]] of types.entries())
      if (schema !== undefined) {
        const line = part(table)
          .split('\n')
          .find((text) => text.startsWith(`    c${i}:`))
        expect(`${type}: ${line}`).toContain(`${type}:     c${i}: ${schema}`)
      }
  expect(written).toContain('description: "It\'s all \\"types\\".\\nTwo lines."')
  expect(written).toContain(".describe('The `first` ${one}.')")

  const record = await project.run()
  const values = await project.query('SELECT * FROM silver.all_types WHERE id = 1')
  const firstOf = (type: string) => values[0]?.[`c${kind.types.findIndex(([of]) => of === type)}`]
  for (const [type, value] of kind.values) expect([type, firstOf(type)]).toEqual([type, value])
  expect([record.error, ...record.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
  for (const [table, count] of rows) {
    const found = record.steps.find(({ dataset }) => dataset === `silver.${table}`)
    if (count > 0)
      expect([table, found?.counts]).toMatchObject([
        table,
        { in: count, kept: count, discarded: 0 },
      ])
  }
}

withService('PostgreSQL', [postgresPrograms], () => {
  it('what a crawl writes loads, runs and discards nothing, whatever types there are', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(`
        CREATE TYPE mood AS ENUM ('happy', 'it''s, or "so"'); CREATE TYPE thing AS (a int, b text);
        CREATE DOMAIN amount AS numeric(9,2); CREATE DOMAIN small_amount AS amount CHECK (VALUE < 10);
        CREATE DOMAIN mail AS varchar(90) CHECK (VALUE LIKE '%@%'); CREATE DOMAIN state AS mood; CREATE DOMAIN cash AS money`)
      await story({
        quote: (name) => `"${name.replaceAll('"', '""')}"`,
        types: postgresTypes,
        odd: postgresOdd,
        run: (sql) => client.query(sql),
        url: server.url,
        comment: (table, column) => [
          `COMMENT ON TABLE ${table} IS E'It''s all "types".\\nTwo lines.'`,
          `COMMENT ON COLUMN ${table}.${column} IS 'The \`first\` \${one}.'`,
          'ANALYZE',
        ],
        values: [
          ['money', '12.34'],
          ['cash', '3.50'],
          ['amount', '12.50'],
          ['real', 1.1],
          ['char(5)', 'ab'],
          ['numeric(5,-2)', '12300'],
        ],
      })
    } finally {
      await client.end()
      await server.stop()
    }
  })
})

withService('MariaDB', [mariadbProgram], () => {
  it('what a crawl writes loads, runs and discards nothing, whatever types there are', async () => {
    const server = await startMariadb()
    const client = await mysql.createConnection({ uri: server.url })
    try {
      await client.query("SET sql_mode = ''")
      await story({
        quote: (name) => `\`${name.replaceAll('`', '``')}\``,
        types: mysqlTypes,
        odd: mysqlOdd,
        run: (sql) => client.query(sql),
        url: server.url,
        comment: (table, column) => [
          `ALTER TABLE ${table} COMMENT 'It''s all "types".\\nTwo lines.'`,
          `ALTER TABLE ${table} MODIFY ${column} tinyint COMMENT 'The \`first\` \${one}.'`,
        ],
        values: [
          ['tinyint(1)', false],
          ['float', 1.1],
          ['bit(1)', true],
          ['bigint unsigned', '18446744073709551615'],
          ['char(5)', 'ab'],
        ],
      })
    } finally {
      await client.end()
      await server.stop()
    }
  })
})
