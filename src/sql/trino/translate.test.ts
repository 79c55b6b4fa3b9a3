import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MoraineError } from '../../errors.js'
import { parseStatement } from './statement.js'
import { translateChange, translateInsert, translateShown, translateTrino } from './translate.js'
import { typeOfEngine } from './types.js'

const columns = [
  ['id', 'INTEGER'],
  ['price', 'DECIMAL(8,2)'],
  ['name', 'VARCHAR'],
  ['day', 'DATE'],
  ['list', 'INTEGER[]'],
].map(([name = '', type = '']) => ({ name, type: typeOfEngine(type) }))
const table = () => ({ sql: '"silver"."sales"', columns })
const translate = (sql: string, parameters: string[] = []) =>
  translateTrino(sql, { table, parameters }).sql

function outcome(work: () => unknown): string {
  try {
    work()
    return 'translated'
  } catch (error) {
    return error instanceof MoraineError && error.kind === 'query' ? 'refused' : String(error)
  }
}

const words = [
  ...[
    'SELECT',
    'FROM',
    'WHERE',
    'GROUP',
    'BY',
    'ORDER',
    'LIMIT',
    'OFFSET',
    'WITH',
    'AS',
    'JOIN',
    'ON',
    'UNNEST',
  ],
  ...[
    'CASE',
    'WHEN',
    'THEN',
    'ELSE',
    'END',
    'CAST',
    'TRY',
    'INTERVAL',
    'ARRAY',
    'ROW',
    'OVER',
    'PARTITION',
    'NULL',
  ],
  ...[
    'id',
    'price',
    'name',
    'sales',
    'sum',
    'count',
    'date_add',
    '->',
    '(',
    ')',
    '[',
    ']',
    ',',
    '.',
    '*',
    '+',
    '/',
    '||',
  ],
  ...[
    "'a'",
    "'it''s'",
    '"q"',
    '1',
    '1.5',
    '1e3',
    '?',
    ';',
    '--',
    '/*',
    '*/',
    "'",
    '"',
    'X',
    '<>',
    '=',
    'IN',
    'EXISTS',
  ],
  ...[
    'CREATE',
    'TABLE',
    'INSERT',
    'INTO',
    'UNLOAD',
    'TO',
    'DROP',
    'SHOW',
    'DESCRIBE',
    'EXPLAIN',
    'PREPARE',
    'EXECUTE',
    'USING',
  ],
  ...[
    'UPDATE',
    'SET',
    'DELETE',
    'MERGE',
    'WHEN',
    'MATCHED',
    'THEN',
    'ALTER',
    'ADD',
    'COLUMNS',
    'CHANGE',
    'COLUMN',
    'RENAME',
    'PARTITIONED',
    'TBLPROPERTIES',
    'OPTIMIZE',
    'VACUUM',
  ],
]
const soup = fc
  .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 4 })), { maxLength: 40 })
  .map((parts) => parts.join(' '))

/** What statements begin with that change tables and their rows. */
const begins = [
  'UPDATE sales SET id =',
  'DELETE FROM sales WHERE',
  'MERGE INTO sales USING',
  'MERGE INTO sales s USING sales o ON s.id = o.id WHEN MATCHED THEN UPDATE SET',
  'MERGE INTO sales s USING sales o ON s.id = o.id WHEN NOT MATCHED THEN INSERT',
  'INSERT INTO sales',
  'CREATE TABLE x (',
  'CREATE TABLE x (id int)',
  'ALTER TABLE x',
]

function changed(sql: string): void {
  const { statement } = parseStatement(sql)
  const context = { statement: sql, table }
  if (statement.kind === 'insert') translateInsert(statement, context)
  if (statement.kind === 'update' || statement.kind === 'delete' || statement.kind === 'merge')
    translateChange(statement, context)
}

describe('SQL in Trino’s dialect', () => {
  it('is translated or refused, whatever it is', () => {
    fc.assert(
      fc.property(soup, (sql) => {
        for (const text of [sql, `SELECT ${sql}`, `SELECT id FROM sales WHERE ${sql}`]) {
          expect(['translated', 'refused']).toContain(outcome(() => translate(text)))
          expect(['translated', 'refused']).toContain(outcome(() => parseStatement(text)))
        }
        for (const begin of begins)
          expect(['translated', 'refused']).toContain(outcome(() => changed(`${begin} ${sql}`)))
      }),
      { numRuns: 400 },
    )
  })

  it('keeps texts and names within their quotes', () => {
    fc.assert(
      fc.property(
        fc.string().filter((one) => !one.includes('\0')),
        (value) => {
          const quoted = `'${value.replaceAll("'", "''")}'`
          expect(translate(`SELECT ${quoted} AS a`)).toBe(`SELECT ${quoted} AS "a"`)
          expect(translate('SELECT ? AS a', [quoted])).toBe(`SELECT ${quoted} AS "a"`)
          const name = `"${value.replaceAll('"', '""')}"`
          if (value !== '') expect(translate(`SELECT 1 AS ${name}`)).toBe(`SELECT 1 AS ${name}`)
        },
      ),
    )
  })

  it.each<[string, RegExp]>([
    ['SELECT 1; DROP TABLE sales', /mismatched input 'DROP'/],
    ['SELECT ?', /more than 0 parameters/],
    ['SELECT word_stem(name) FROM sales', /line 1:8: The function word_stem is not translated/],
    ['SELECT read_csv(name) FROM sales', /The function read_csv is not translated/],
    ['SELECT name + 1 FROM sales', /Cannot apply operator: varchar \+ integer/],
    ['SELECT * FROM sales WHERE name = 1', /Cannot compare varchar with integer/],
    [
      'SELECT * FROM sales WHERE name IN (SELECT id FROM sales)',
      /Cannot compare varchar with integer/,
    ],
    [
      'SELECT * FROM sales WHERE id = ANY (SELECT name FROM sales)',
      /Cannot compare integer with varchar/,
    ],
    ["SELECT if(id = 1, id, 'x') FROM sales", /Both values of if must be of one type/],
    ['SELECT nullif(id, name) FROM sales', /Both values of nullif must be of one type/],
    ["SELECT date_trunc('hour', day) FROM sales", /date_trunc has no unit 'hour' for this type/],
    ["SELECT regexp_like(name, '(a)\\1') FROM sales", /refers to a group/],
    ["SELECT regexp_like(name, 'a$b') FROM sales", /a \$ that is not at its end/],
    ["SELECT regexp_like(name, '[\\S]') FROM sales", /has \\S within a class/],
    ["SELECT regexp_replace(name, '(a|b*)c?', '-') FROM sales", /can match nothing/],
    ["SELECT regexp_split(name, '|,') FROM sales", /can match nothing/],
    ["SELECT regexp_extract(name, '(a)(b)', 3) FROM sales", /Pattern has 2 groups/],
    ["SELECT regexp_replace(name, 'a', '$1') FROM sales", /unknown group 1/],
    ['SELECT id FROM sales TABLESAMPLE BERNOULLI (10)', /TABLESAMPLE is not translated/],
    [
      'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t',
      /WITH RECURSIVE is not translated/,
    ],
    ['SELECT * FROM read_parquet(1)', /The table function read_parquet is not translated/],
    ['SELECT a FROM (SELECT 1 AS a, 2 AS a)', /Column 'a' is ambiguous/],
    ['SELECT id FROM sales GROUP BY DISTINCT ROLLUP (id), ROLLUP (id)', /GROUP BY DISTINCT/],
    ['SELECT id FROM sales GROUP BY CUBE (1)', /must be a column reference/],
    ["SELECT CASE id WHEN 'a' THEN 1 END FROM sales", /Cannot compare integer with varchar/],
    ["SELECT id FROM sales WHERE id LIKE '1%'", /LIKE takes texts, and not integer/],
    ["SELECT id FROM sales WHERE JSON '1' = JSON '1'", /Cannot compare json with json/],
    ['SELECT map(ARRAY[1], ARRAY[2]) = map(ARRAY[1], ARRAY[2])', /are not compared here/],
    ['SELECT DISTINCT map(ARRAY[id], ARRAY[2]) FROM sales', /are not told apart here/],
    ['SELECT count(*) FROM sales GROUP BY map(ARRAY[id], ARRAY[2])', /are not told apart here/],
    ['SELECT (id, 1) IN (SELECT (id, 1) FROM sales) FROM sales', /must be of the same type/],
    ['SELECT (id, 1) < ALL (SELECT 1, 2) FROM sales', /are not compared by < ALL/],
    ['SELECT TRY((id, 1) < (2, 3)) FROM sales', /TRY of rows or arrays/],
    ['SELECT DISTINCT id FROM sales ORDER BY price', /must appear in select list/],
    ['SELECT id, price FROM sales ORDER BY max(price)', /Invalid reference to output projection/],
    ['SELECT random() AS r FROM sales ORDER BY r * 2', /column of chance is not translated/],
    ['SELECT * FROM TABLE(read_parquet(1))', /The table function read_parquet is not translated/],
    ['SELECT * FROM TABLE(sequence(stop => id))', /cannot be resolved/],
    ['SELECT * FROM TABLE(sequence(1, 9, 0))', /Step must not be zero/],
    ['SELECT * FROM TABLE(sequence(9, 1))', /Step must be negative/],
    ["SELECT TIME '24:00:00'", /not a valid time literal/],
    ["SELECT TIMESTAMP '2026-01-31 10:00:00 No/Where!'", /not a valid timestamp literal/],
    [
      "SELECT CASE WHEN id = 1 THEN now() ELSE now() AT TIME ZONE 'Asia/Kolkata' END FROM sales",
      /All values must be of one type/,
    ],
    ['SELECT x -> 1', /A lambda can only be an argument/],
    [`SELECT ${'('.repeat(300)}1${')'.repeat(300)}`, /nested too deeply/],
    [`SELECT ${'- '.repeat(5000)}1`, /nested too deeply/],
  ])('refuses %s', (sql, why) => {
    expect(() => translate(sql)).toThrow(why)
  })

  it('reads numbers with a point as doubles, and compares short decimals to the digit', () => {
    const half = "CAST('1.5' AS DOUBLE)"
    expect(translate('SELECT 1.5 AS a')).toBe(`SELECT ${half} AS "a"`)
    expect(translate("SELECT DECIMAL '1.50' AS a")).toBe(
      `SELECT CAST('1.50' AS DECIMAL(3, 2)) AS "a"`,
    )
    const where = (condition: string) =>
      translate(`SELECT id FROM sales WHERE ${condition}`).replace(/^.* WHERE /, '')
    expect(where('price > 1.5')).toBe(`("sales"."price" > CAST('1.5' AS DECIMAL(2, 1)))`)
    expect(where('price IN (1.5, -2, .25)')).toBe(
      `("sales"."price" IN (CAST('1.5' AS DECIMAL(2, 1)), (-2), CAST('.25' AS DECIMAL(2, 2))))`,
    )
    // Doubles keep no more than 15 digits apart.
    expect(where('price > 1.5000000000000001')).toContain('AS DOUBLE')
    expect(where('price * 2 > 1.5')).toContain(half)
    expect(where('id > 1.5')).toContain(half)
  })

  it('compares rows field by field, of which one may not be known', () => {
    const where = (condition: string) =>
      translate(`SELECT id FROM sales WHERE ${condition}`).replace(/^.* WHERE /, '')
    expect(where("(id, name) = (1, 'a')")).toBe(`(("sales"."id" = 1) AND ("sales"."name" = 'a'))`)
    expect(where("(id, name) NOT IN ((1, 'a'), (2, 'b'))")).toBe(
      `(NOT ((("sales"."id" = 1) AND ("sales"."name" = 'a')) OR (("sales"."id" = 2) AND ("sales"."name" = 'b'))))`,
    )
    // What is known of files goes by such conditions.
    expect(where('id NOT IN (1, 2)')).toBe('("sales"."id" NOT IN (1, 2))')
    expect(where('id BETWEEN 1 AND 2')).toBe('("sales"."id" BETWEEN 1 AND 2)')
  })

  it('sorts by what the query gives, also within expressions', () => {
    const sorted = (sql: string) => translate(sql).replace(/^.* ORDER BY /, '')
    expect(sorted('SELECT 0 - price AS price FROM sales ORDER BY price')).toBe(
      '"price" ASC NULLS LAST',
    )
    expect(sorted('SELECT id * 2 AS id FROM sales ORDER BY -id')).toBe(
      `(-(("sales"."id" * CAST(2 AS INTEGER)))) ASC NULLS LAST`,
    )
    expect(sorted('SELECT id AS n, name AS id FROM sales ORDER BY id || name')).toBe(
      `("sales"."name" || "sales"."name") ASC NULLS LAST`,
    )
    expect(translate('SELECT id FROM sales UNION SELECT 1 ORDER BY -id')).toMatch(
      /^SELECT \* FROM \(.*\) AS "m rows" ORDER BY \(-"id"\) ASC NULLS LAST$/,
    )
  })

  it('writes what people are shown as texts and lists, and nothing else', () => {
    const shown = (sql: string) => {
      const { statement } = parseStatement(sql)
      if (statement.kind !== 'query') throw new Error('no query')
      return translateShown(statement.query, { statement: sql, table })
    }
    expect(shown('SELECT id FROM sales ORDER BY 1').sql).toBe(
      translate('SELECT id FROM sales ORDER BY 1'),
    )
    const zoned = shown("SELECT now() AT TIME ZONE 'Asia/Kolkata' AS a, id FROM sales")
    expect(zoned.sql).toMatch(/^SELECT \(strftime\(.* AS "a", "c1" AS "id" FROM \(SELECT/)
    expect(zoned.fields[0]?.type).toMatchObject({ name: 'timestamptz', zone: 'Asia/Kolkata' })
    expect(() => shown("SELECT ARRAY[INTERVAL '1' DAY]")).toThrow(/cannot be shown/)
  })

  it('takes only values for parameters', () => {
    for (const value of ['(SELECT 1)', 'id', '1; DROP TABLE x', 'now()', '1 OR 1 = 1'])
      expect(outcome(() => translate('SELECT id FROM sales WHERE id = ?', [value]))).toBe('refused')
    for (const value of ['1', '-1', "'a''b'", "DATE '2026-01-31'", 'NULL', "CAST('1' AS integer)"])
      expect(outcome(() => translate('SELECT ?', [value]))).toBe('translated')
  })
})
