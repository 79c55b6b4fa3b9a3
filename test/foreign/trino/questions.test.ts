import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'
import { Trino } from '../../support/trino.js'
import { until } from '../../support/until.js'
import type { LakeAddress } from '../engines/engine.js'
import { fromGuide } from '../engines/guide.js'
import { trinoParts } from '../engines/trino.js'
import { plain } from './compare.js'
import { layers, questions } from './questions.js'

const PRECISE = {
  'x-trino-client-capabilities': 'PARAMETRIC_DATETIME',
  'x-trino-catalog': 'lake',
  'x-trino-schema': 'silver',
}

withService('Trino on the same lake', trinoParts, () => {
  let lake: ServedLake
  let trino: Trino
  let athena: AthenaClient
  beforeAll(async () => {
    lake = await servedLake()
    const address = { url: `${lake.url}/iceberg`, token: 'boss-token-0001', example: '' }
    const [how, files] = [0, 1].map((block) =>
      fromGuide('Trino', block, 'lake', address as LakeAddress),
    )
    trino = await Trino.start({ lake: `${how}${files}` })
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = lake.env('boss')
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
    athena = new AthenaClient({ endpoint: lake.url, region: 'us-east-1', credentials })
  })
  afterAll(async () => {
    await trino?.stop()
    await lake?.close()
  })

  async function onAthena(QueryString: string): Promise<string[]> {
    const { QueryExecutionId } = await athena.send(new StartQueryExecutionCommand({ QueryString }))
    const get = async () =>
      (await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }))).QueryExecution?.Status
    await until(
      'the query has ended',
      async () => !/QUEUED|RUNNING/.test((await get())?.State ?? ''),
    )
    const status = await get()
    if (status?.State !== 'SUCCEEDED')
      throw new Error(`${QueryString}: ${status?.StateChangeReason}`)
    const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }))
    const rows = (ResultSet?.Rows ?? []).map((row) =>
      JSON.stringify(row.Data?.map((cell) => plain(cell.VarCharValue))),
    )
    return rows.slice(1)
  }

  async function onTrino(sql: string): Promise<string[]> {
    const { rows } = await trino.run(sql, PRECISE)
    return rows.map((row) =>
      JSON.stringify(row.map((value) => plain(typeof value === 'boolean' ? String(value) : value))),
    )
  }

  describe('questions of a ticket shop', () => {
    it('have the same answers through Athena and on Trino, from layers that each has built', async () => {
      await onAthena('CREATE SCHEMA scratch')
      await trino.run('CREATE SCHEMA other', PRECISE)
      for (const sql of layers) {
        await onAthena(sql.replaceAll('layer.', 'scratch.'))
        await trino.run(
          sql.replaceAll('layer.', 'other.').replace(/partitioned_by/, 'partitioning'),
          PRECISE,
        )
      }
      const wrong: string[] = []
      for (const sql of questions) {
        const [ours, theirs] = [
          await onAthena(sql.replaceAll('layer.', 'scratch.')),
          await onTrino(sql.replaceAll('layer.', 'other.')),
        ]
        expect(theirs.length, sql).toBeGreaterThan(0)
        const at = theirs.findIndex((row, i) => row !== ours[i])
        if (at >= 0 || ours.length !== theirs.length)
          wrong.push(`${sql}: row ${at}: Trino ${theirs[at]}, Moraine ${ours[at]}`)
      }
      expect(wrong).toEqual([])
      // And what one of them has written, the other reads.
      const all = 'SELECT * FROM layer.refined_sales ORDER BY salesid LIMIT 50'
      expect(await onTrino(all.replace('layer', 'scratch'))).toEqual(
        await onAthena(all.replace('layer', 'other')),
      )
    })
  })
})
