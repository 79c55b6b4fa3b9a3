import type { Field } from '../../../src/define/types/column-type.js'
import type { BoundType } from '../../../src/sql/bound/tree.js'
import { storedAs } from './cases.js'
import type { Table } from './compare.js'
import { type Draw, hostileValue } from './values.js'

const types: readonly (readonly [string, BoundType])[] = [
  ['b', { id: 'boolean' }],
  ['i', { id: 'integer' }],
  ['l', { id: 'bigint' }],
  ['d', { id: 'decimal', precision: 12, scale: 2 }],
  ['e', { id: 'decimal', precision: 30, scale: 6 }],
  ['t', { id: 'varchar' }],
  ['y', { id: 'date' }],
  ['s', { id: 'timestamp' }],
  ['z', { id: 'timestamptz' }],
  ['f', { id: 'double' }],
]

const key = (name: string): Field => ({ name, type: { kind: 'int' } })

/** Tables of all types, with keys that come again, that are NULL, that only one of them has. */
export function tablesOf(draw: Draw, count: number): Table[] {
  const fields = [
    ...['id', 'g', 'h'].map(key),
    ...types.map(([name, type]): Field => ({ name, type: storedAs(type) })),
  ]
  const few = (most: number) => (draw() < 0.15 ? null : String(Math.floor(draw() * most)))
  return ['t', 'u'].map((name) => ({
    name,
    fields,
    rows: Array.from({ length: count }, (_, i) => [
      String(i),
      few(4),
      few(9),
      // Sums of longer numbers would be none.
      ...types.map(([column, type]) =>
        column === 'e' || column === 'l' ? few(1_000_000) : hostileValue(type, draw),
      ),
    ]),
  }))
}

const sorted = ['b', 'i', 'l', 'd', 'e', 't', 'y', 's', 'z']
const passed = [...sorted, 'f']

const aggregates = [
  ...['i', 'l', 'd', 'e'].flatMap((c) => [`sum(${c})`, `sum(DISTINCT ${c})`]),
  'sum(CAST(l AS HUGEINT))',
  ...sorted.flatMap((c) => [`min(${c})`, `max(${c})`, `count(DISTINCT ${c})`]),
  ...passed.map((c) => `count(${c})`),
  ...[
    'count(*)',
    'bool_and(b)',
    'bool_or(b)',
    'count_if(b)',
    'count_if(i > 0)',
    'count_if(DISTINCT b)',
  ],
  ...['count(*) FILTER (b)', 'sum(d) FILTER (i > 0)', 'count(DISTINCT t) FILTER (t IS NOT NULL)'],
]

const frames = [
  '',
  'ROWS BETWEEN 2 PRECEDING AND CURRENT ROW',
  'ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING',
  'ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING',
  'ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING',
  'RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING',
]

/** Window functions, over windows by which every row has one place, and by which some share one. */
const windows = [
  ...['row_number()', 'rank()', 'dense_rank()', 'ntile(3)', 'ntile(7)'].flatMap((name) => [
    `${name} OVER (ORDER BY id)`,
    `${name} OVER (PARTITION BY g ORDER BY t DESC NULLS FIRST, id)`,
  ]),
  ...['rank()', 'dense_rank()'].map((name) => `${name} OVER (PARTITION BY g ORDER BY h DESC)`),
  ...['lag', 'lead'].flatMap((name) => [
    `${name}(t) OVER (ORDER BY id)`,
    `${name}(d, 2) OVER (PARTITION BY g ORDER BY id)`,
    `${name}(f, 0) OVER (ORDER BY id)`,
    `${name}(i, 3, 7) OVER (PARTITION BY h ORDER BY y NULLS FIRST, id)`,
  ]),
  ...frames.flatMap((frame) => [
    `sum(d) OVER (PARTITION BY g ORDER BY id ${frame})`,
    `count(*) OVER (ORDER BY h NULLS FIRST, id ${frame})`,
    `max(t) OVER (PARTITION BY g ORDER BY id ${frame})`,
    `first_value(y) OVER (PARTITION BY g ORDER BY id ${frame})`,
    `last_value(s) OVER (PARTITION BY g ORDER BY id ${frame})`,
  ]),
  ...['sum(d) OVER ()', 'count(t) OVER (PARTITION BY g)', 'sum(i) OVER (ORDER BY h)'],
  ...['sum(d) FILTER (b) OVER (PARTITION BY g)', 'count(*) FILTER (b) OVER (ORDER BY id)'],
]

const joined = (kind: string) =>
  `SELECT t.id, u.id AS other, t.t, u.d FROM silver.t ${kind} JOIN silver.u ON t.g = u.g AND t.h = u.h`

/** Queries of every operator on the list. */
export const queries: readonly string[] = [
  `SELECT g, h, ${named(aggregates)} FROM silver.t GROUP BY g, h`,
  `SELECT ${named(aggregates)} FROM silver.t`,
  `SELECT ${named(aggregates)} FROM silver.t WHERE id < 0`,
  `SELECT g, ${named(aggregates.slice(0, 5))} FROM silver.t WHERE id < 0 GROUP BY g`,
  ...sorted.map((c) => `SELECT ${c}, count(*) AS n FROM silver.t GROUP BY ${c}`),
  ...[0, 16, 32, 48].map((at) => `SELECT id, ${named(windows.slice(at, at + 16))} FROM silver.t`),
  ...['INNER', 'LEFT', 'RIGHT', 'FULL'].map(joined),
  ...['SEMI', 'ANTI'].map(
    (kind) => `SELECT id, f FROM silver.t ${kind} JOIN silver.u USING (g, h)`,
  ),
  'SELECT t.id, u.id AS o FROM silver.t CROSS JOIN silver.u',
  'SELECT t.id, u.id AS o FROM silver.t, silver.u WHERE t.g = u.g OR t.h < u.h',
  'SELECT t.id, u.id AS o FROM silver.t LEFT JOIN silver.u ON t.g = u.g AND (t.h > 3 OR u.b)',
  'SELECT t.id, u.id AS o FROM silver.t JOIN silver.u ON t.g < u.g AND t.t >= u.t',
  'SELECT t.id, u.id AS o FROM silver.t JOIN silver.u ON t.h IS NOT DISTINCT FROM u.h',
  ...sorted
    .slice(1)
    .map((c) => `SELECT t.id, u.id AS o FROM silver.t JOIN silver.u ON t.${c} = u.${c}`),
  ...['UNION', 'UNION ALL', 'EXCEPT', 'EXCEPT ALL', 'INTERSECT', 'INTERSECT ALL'].map(
    (kind) => `SELECT g, h FROM silver.t ${kind} SELECT g, h FROM silver.u`,
  ),
  "SELECT t, 'x' AS o FROM silver.t UNION ALL SELECT NULL, t FROM silver.u",
  'SELECT DISTINCT g, b FROM silver.t',
  ...['IN', 'NOT IN'].flatMap((is) => [
    `SELECT id FROM silver.t WHERE h ${is} (SELECT h FROM silver.u)`,
    `SELECT id FROM silver.t WHERE h ${is} (SELECT h FROM silver.u WHERE h IS NOT NULL)`,
    `SELECT id FROM silver.t WHERE h ${is} (SELECT h FROM silver.u WHERE id < 0)`,
    `SELECT id, h ${is} (SELECT g FROM silver.u) AS o FROM silver.t`,
  ]),
  'SELECT * FROM silver.t ORDER BY t DESC NULLS FIRST, id LIMIT 7',
  'SELECT id FROM silver.t ORDER BY d, id LIMIT 5 OFFSET 3',
  'SELECT id FROM silver.t ORDER BY y DESC, s NULLS FIRST, id OFFSET 10',
  'WITH x AS (SELECT g, sum(d) AS s FROM silver.t GROUP BY g) SELECT a.g, b.s FROM x AS a JOIN x AS b ON a.g = b.g',
  'SELECT g, sum(d) AS s FROM silver.t GROUP BY g HAVING count(*) > 2',
  'SELECT id FROM silver.t QUALIFY row_number() OVER (PARTITION BY g ORDER BY id) = 1',
  "SELECT * FROM (VALUES (1, 'a', DATE '2020-01-01'), (2, NULL, NULL)) AS v(x, y, z)",
  "SELECT 1 AS one, 1.50 AS two, NULL AS three, true AS four, TIMESTAMP '2020-02-29 12:00:00.5' AS five",
  'SELECT id, CASE WHEN b THEN d WHEN i > 0 THEN -d ELSE 0 END AS o FROM silver.t',
  "SELECT id, CASE g WHEN 1 THEN t WHEN 2 THEN 'z' END AS o FROM silver.t",
]

function named(expressions: readonly string[]): string {
  return expressions.map((one, i) => `${one} AS o${i}`).join(', ')
}
