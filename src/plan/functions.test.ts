import { expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { isKnown, tableFunctions, whyUnstable } from './functions.js'

const session = engineSession()

/** Another version of DuckDB brings functions that somebody has to look at first. */
it('every function of the engine is on exactly one list: what may be called, or what may not and why', async () => {
  const rows = await session().rows(
    `SELECT DISTINCT function_name AS name FROM duckdb_functions()
     WHERE function_type IN ('scalar', 'aggregate', 'macro')`,
  )
  const names = rows.map(({ name }) => String(name))
  expect(names.length).toBeGreaterThan(700)
  expect(names.filter((name) => !isKnown(name) && !whyUnstable(name))).toEqual([])
  expect(names.filter((name) => isKnown(name) && whyUnstable(name))).toEqual([])
})

it('none that the engine itself calls volatile may be called, but for error()', async () => {
  const rows = await session().rows(
    `SELECT DISTINCT function_name AS name FROM duckdb_functions()
     WHERE function_type IN ('scalar', 'aggregate') AND stability <> 'CONSISTENT'`,
  )
  const names = rows.map(({ name }) => String(name))
  expect(names.filter(isKnown)).toEqual(['error'])
})

it('functions in FROM are known to the engine', async () => {
  const rows = await session().rows('SELECT DISTINCT function_name AS name FROM duckdb_functions()')
  const names = new Set(rows.map(({ name }) => String(name)))
  expect([...tableFunctions].filter((name) => !names.has(name))).toEqual([])
})
