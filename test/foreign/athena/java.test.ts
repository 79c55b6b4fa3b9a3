import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'

const jars = process.env.MORAINE_AWS_JAVA

withService('Amazon’s SDK for Java', [jars], () => {
  let lake: ServedLake
  beforeAll(async () => {
    lake = await servedLake()
  })
  afterAll(() => lake?.close())

  it('asks Athena with nothing set but the environment', async () => {
    const program = join(import.meta.dirname, 'Sdk.java')
    const env = { ...lake.env('boss'), AWS_REGION: 'us-east-1' }
    const args = ['-cp', join(jars as string, '*'), program]
    const { stdout } = await promisify(execFile)('java', args, { env })
    expect(stdout.trim().split('\n')).toEqual([
      'first: [eventid|name|category, 0|Event 0, "live"|null, 1|Event 1, "live"|Rock]',
      'bound: [_col0, 125]',
      'pages: 2501 rows, the last 2499|493.99',
      "failed: [FAILED, COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved, 2]",
      'inserted: DML 2',
      'written: [id|word, 1|a, 2|null]',
      'databases: [bronze, gold, scratch, silver]',
      'columns: [salesid bigint, eventid int, buyer string, qty int, price decimal(8,2), day date, _loaded_at timestamp with local time zone, _batch string]',
      'workgroup: ENABLED',
      'unknown: InvalidRequestException 400',
    ])
    expect(lake.errors).toEqual([])
  })
})
