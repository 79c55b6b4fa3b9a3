import { afterAll, beforeAll } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../src/engine/engine.js'

/**
 * A session of an engine that lives as long as the tests of a file; ask for it inside of a test.
 */
export function engineSession(): () => Session {
  let engine: DuckDB
  let session: Session
  beforeAll(async () => {
    engine = await DuckDB.start({ threads: 2 })
    session = await engine.open()
  })
  afterAll(async () => {
    session.close()
    await engine.close()
  })
  return () => session
}
