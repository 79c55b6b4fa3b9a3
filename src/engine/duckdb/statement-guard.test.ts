import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Disk } from '../../storage/disk.js'
import { DiskFull } from '../stopped.js'
import { DuckDB } from './duckdb.js'

const GB = 2 ** 30

/** A session of an engine whose disk has as much room as a test says. */
async function onDisk(disk: (folder: string) => Disk) {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  const engine = await DuckDB.start({ threads: 2, memory: 100 * 2 ** 20, disk })
  const session = await engine.open()
  onTestFinished(async () => {
    session.close()
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { session, to: join(folder, 'rows.parquet'), url: pathToFileURL(folder).href }
}

const sort = 'SELECT i, hash(i) AS h FROM range(30000000) t(i) ORDER BY h LIMIT 1 OFFSET 29000000'

describe('a disk that is nearly full', () => {
  it('is not filled by what does not fit into memory', async () => {
    let free = 100 * GB
    const { session } = await onDisk(() => ({ free, size: 200 * GB }))
    const sorting = session.rows(sort)
    free = 0.9 * GB
    await expect(sorting).rejects.toThrow(DiskFull)
    await expect(sorting).rejects.toThrow(
      'is nearly full: the last 922 MiB are left to other programs',
    )
    // What needs none of it goes on.
    expect(await session.rows('SELECT count(*) AS n FROM range(1000)')).toEqual([{ n: 1000n }])
    free = 100 * GB
    expect(await session.rows('SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  it('gives what spills half of its room at most', async () => {
    const { session } = await onDisk(() => ({ free: 20 * 2 ** 20, size: 60 * 2 ** 20 }))
    await expect(session.rows(sort)).rejects.toMatchObject({
      hint: expect.stringContaining('all the disk space it may use'),
    })
  })

  it('is not written to', async () => {
    const { session, to, url } = await onDisk(() => ({ free: 0.2 * GB, size: 200 * GB }))
    await expect(session.files.writeFile('SELECT 1 AS n', `${url}/rows.parquet`)).rejects.toThrow(
      DiskFull,
    )
    expect(existsSync(to)).toBe(false)
  })

  it('is seen while a file is written', async () => {
    let looks = 0
    const { session, url } = await onDisk(() => ({
      free: looks++ < 2 ? GB : 0.2 * GB,
      size: 200 * GB,
    }))
    const rows = 'SELECT hash(i) AS h, hash(i + 1) AS g FROM range(2000000000) t(i)'
    await expect(session.files.writeFile(rows, `${url}/rows.parquet`)).rejects.toThrow(DiskFull)
  })
})
