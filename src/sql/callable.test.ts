import { expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { callable, tableFunctions } from '../plan/functions.js'
import { whyNotCallable } from './callable.js'

const session = engineSession()

async function functionsOf(...types: string[]): Promise<string[]> {
  const rows = await session().rows(
    `SELECT DISTINCT function_name AS name FROM duckdb_functions()
     WHERE function_type IN (${types.map((type) => `'${type}'`).join(', ')}) ORDER BY ALL`,
  )
  return rows.map(({ name }) => String(name))
}

/** Another version of DuckDB brings functions that somebody has to look at first. */
it('every function of the engine may be called, or is refused for a reason', async () => {
  const values = await functionsOf('scalar', 'aggregate', 'macro')
  expect(values.length).toBeGreaterThan(700)
  expect(values.filter((name) => whyNotCallable(name, 'value') === 'unknown')).toEqual([])
  const relations = await functionsOf('table', 'table_macro')
  expect(relations.length).toBeGreaterThan(80)
  expect(relations.filter((name) => whyNotCallable(name, 'from') === 'unknown')).toEqual([])
})

it('what makes rows of its arguments alone is all that may be called in FROM', async () => {
  const relations = await functionsOf('table', 'table_macro', 'macro', 'scalar')
  const allowed = relations.filter((name) => whyNotCallable(name, 'from') === undefined)
  expect(allowed).toEqual([...tableFunctions].filter((name) => relations.includes(name)).sort())
})

it.each(
  `getenv current_setting read_csv read_text glob parquet_schema query query_table histogram_values
   duckdb_settings duckdb_secrets pragma_table_info json_serialize_plan json_execute_serialized_sql
   finalize nextval write_log pg_sleep READ_TEXT Current_Setting`.split(/\s+/),
)('%s is refused', (name) => {
  expect(whyNotCallable(name, 'from')).toBeDefined()
  expect(whyNotCallable(name, 'value')).toBeDefined()
})

it.each('set_bit now random sum row_number list_transform version unnest'.split(' '))(
  '%s may be called',
  (name) => {
    expect(whyNotCallable(name, 'value')).toBeUndefined()
  },
)

it('a name on no list is refused, whatever letters it is written with', () => {
  // DuckDB folds letters of ASCII alone: this K is the sign for kelvin.
  for (const name of ['mask', '\u212Aahan_sum', 'ſum', 'constructor', 'toString', ''])
    expect(whyNotCallable(name, 'value')).toBe('unknown')
  expect(callable).toContain('kahan_sum')
})
