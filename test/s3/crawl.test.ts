import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { startBuckets } from '../support/buckets.js'
import { Project, temporaryFolder } from '../support/project.js'
import { minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['exports']))
  })
  afterAll(() => server.stop())

  const put = (Key: string, Body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: 'exports', Key, Body }))

  it('writes definitions for what is in a bucket, which run as they are', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${i},2026-01-0${(i % 9) + 1},${i}.50`)
    await put(
      'shop/orders/orders_jan.csv',
      `order_id,day,amount\n${rows.slice(0, 100).join('\n')}\n`,
    )
    await put('shop/orders/orders_feb.csv', `order_id,day,amount\n${rows.slice(100).join('\n')}\n`)
    for (const day of [1, 2])
      await put(`shop/visits/day=2026-01-0${day}/x.jsonl`, `{"visit_id": ${day}, "page": "/"}\n`)
    // Larger than what is looked at: only its end is read.
    const folder = await temporaryFolder()
    const engine = await DuckDB.start()
    const session = await engine.open()
    const file = join(folder, 'big.parquet')
    await session.run(
      `COPY (SELECT i AS id, md5(CAST(i AS VARCHAR)) AS hash FROM range(100000) AS r(i)) TO '${file}'`,
    )
    await engine.close()
    const big = await readFile(file)
    expect(big.length).toBeGreaterThan(2 ** 21)
    await put('shop/hashes/big.parquet', big)
    await put('shop/_hidden/x.csv', 'a,b\n1,2\n')
    await put('other/y.csv', 'a,b\n1,2\n')
    const project = await Project.create({})
    const crawled = await project.cli('crawl', `s3://exports/shop/?endpoint=${server.url}`)
    expect(crawled.stderr).toBe('')
    expect(crawled.stdout).toMatch(/big +s3:\/\/exports\/shop\/hashes\/big\.parquet.* 100,000/)
    expect(crawled.stdout).toMatch(/orders +s3:\/\/exports\/shop\/orders\/\*\.csv.* 300 /)
    expect(crawled.stdout).toMatch(/visits +s3:\/\/exports\/shop\/visits\/day=\*\/\*\.jsonl/)
    expect(crawled.stdout).not.toMatch(/hidden|other/)
    const run = await project.cli('run')
    expect([run.code, run.stderr]).toEqual([0, ''])
    const n = async (table: string) =>
      Number((await project.query(`SELECT count(*) AS n FROM silver.${table}`))[0]?.n)
    expect(await n('orders')).toBe(300)
    expect(await n('visits')).toBe(2)
    expect(await n('big')).toBe(100_000)
    const again = await project.cli('crawl', `s3://exports/shop/?endpoint=${server.url}`)
    expect(again.stdout).toContain('has not changed since the last crawl')
  })

  it('tells clearly where there is nothing', async () => {
    const project = await Project.create({})
    const crawled = await project.cli('crawl', `s3://exports/nothing/?endpoint=${server.url}`)
    expect(crawled.code).toBe(1)
    expect(crawled.stderr).toContain('No files in')
    expect(crawled.stderr).toContain('s3://exports/nothing/ can be read')
  })
})
