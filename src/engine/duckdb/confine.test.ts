import { tmpdir } from 'node:os'
import { expect, it, onTestFinished, vi } from 'vitest'
import { Staging } from '../../storage/staging.js'
import { DuckDB } from './duckdb.js'
import { DuckDBFiles } from './files/files.js'
import type { Statements } from './statements.js'

it('an engine whose first session comes after it is confined reads buckets where they lie', async () => {
  const did: string[] = []
  // The extension itself is not at hand everywhere; a confined engine can't load it.
  vi.spyOn(DuckDBFiles.prototype, 'loads').mockImplementation(async function (this: DuckDBFiles) {
    const [row] = await (this as never as { statements: Statements }).statements.rows(
      "SELECT current_setting('enable_external_access') AS open",
    )
    did.push(row?.open ? 'loads' : 'can not load')
    return row?.open === true
  })
  vi.spyOn(DuckDBFiles.prototype, 'reach').mockImplementation(async ({ url }) => {
    did.push(`reaches ${url}`)
  })
  const access = async () => ({ url: 's3://lake', expires: undefined }) as never
  const staging = new Staging()
  staging.mount({
    url: 's3://lake',
    folder: tmpdir(),
    isReady: () => true,
    fetch: async () => {},
    access,
  })
  const engine = await DuckDB.start({ threads: 1, staging })
  onTestFinished(async () => {
    vi.restoreAllMocks()
    await engine.close()
  })
  await engine.confine(['s3://lake'])
  ;(await engine.open()).close()
  expect(did.slice(0, 2)).toEqual(['loads', 'reaches s3://lake'])
})
