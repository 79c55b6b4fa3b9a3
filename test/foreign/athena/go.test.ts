import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'

const program = process.env.MORAINE_ATHENADRIVER

withService('Go’s athenadriver', [program], () => {
  let lake: ServedLake
  beforeAll(async () => {
    lake = await servedLake(['athena.us-east-1.amazonaws.com'])
  })
  afterAll(() => lake?.close())

  it('asks Athena by database/sql, led to the server by its transport', async () => {
    const { stdout } = await promisify(execFile)(program as string, [], { env: lake.env('boss') })
    expect(stdout.trim().split('\n')).toEqual([
      'ping: it is there',
      'first: [[0 Event 0, "live" ] [1 Event 1, "live" Rock]]',
      'bound: [[125]]',
      'pages: 2500',
      'types: [[7.5 2026-01-31 00:00:00 +0000 UTC 2026-01-31 10:00:00.123 +0000 UTC true 1.50]]',
      "failed: failed: COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resol",
      'schema: made',
      'table: made',
      'inserted: 2',
      'written: [[1 a] [2 ]]',
      'shown: [[daily]]',
    ])
    expect(lake.errors).toEqual([])
  })
})
