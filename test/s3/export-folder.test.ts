import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { Project } from '../support/project.js'
import { minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['reports']))
  })
  afterAll(() => server.stop())

  it('exports to a bucket what a run has published, and later only what changed', async () => {
    const lake = `
import { bronze, defineLake, folder, silver, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), day: t.date() }),
  key: 'id',
  partitionBy: ['day'],
})
export default defineLake({
  name: 'shop',
  datasets: [orders],
  exports: [warehouse(folder('s3://reports/daily?endpoint=${server.url}', { format: 'csv' }), { tables: [orders], schema: 'sales' })],
})`
    const project = await Project.create({
      'lake.ts': lake,
      'in/1.csv': 'id,day\n1,2026-01-01\n2,2026-01-02\n',
    })
    const ran = await project.cli('run')
    expect(ran.stdout).toContain('sales.orders  2 rows (first export)')
    const text = async (Key: string) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'reports', Key }))
      return (await Body?.transformToString()) ?? ''
    }
    const latest = async () => {
      const { entries } = JSON.parse(await text('daily/sales/orders/_latest.json')) as {
        entries: { url: string; meta: { content_length: number } }[]
      }
      const found = entries.map(async ({ url, meta }) => {
        const body = await text(url.replace('s3://reports/', ''))
        expect(body.length).toBe(meta.content_length)
        const rows = body.split('\n').slice(1, -1)
        return rows.map((row) => row.split(',').slice(0, 2).join(','))
      })
      return { urls: entries.map(({ url }) => url), rows: (await Promise.all(found)).flat().sort() }
    }
    const first = await latest()
    expect(first.rows).toEqual(['1,2026-01-01', '2,2026-01-02'])
    await project.write({ 'in/2.csv': 'id,day\n3,2026-01-02\n' })
    const again = await project.cli('run')
    expect(again.code, again.stdout).toBe(0)
    const second = await latest()
    expect(second.rows).toEqual(['1,2026-01-01', '2,2026-01-02', '3,2026-01-02'])
    expect(second.urls.filter((url) => first.urls.includes(url))).not.toEqual([])
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    const before = Contents.map(({ Key }) => Key)
    expect((await project.cli('export')).stdout).toContain('it has the rows of commit 4')
    const after = await client.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    expect(after.Contents?.map(({ Key }) => Key)).toEqual(before)
  })
})
