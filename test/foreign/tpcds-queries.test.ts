import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ResultRow } from '../../src/engine/engine.js'
import { CommitLog } from '../../src/log/log.js'
import { limitsOf } from '../../src/query/limits.js'
import { queryRows } from '../../src/query/query.js'
import { LocalStorage } from '../../src/storage/local.js'
import { moraine, repository, temporaryFolder } from '../support/project.js'
import { withService } from '../support/services.js'
import { inSilver, withTpcds } from '../support/tpcds.js'

const extensions = process.env.DUCKDB_EXTENSIONS
const extension = extensions && join(extensions, 'v1.5.5/linux_amd64/tpcds.duckdb_extension')

/** Rows as texts, in any order; decimals without the zeros that only their type gives them. */
const plain = (rows: readonly ResultRow[]) =>
  rows
    .map((row) =>
      JSON.stringify(Object.values(row), (_, v) =>
        typeof v === 'bigint'
          ? String(v)
          : typeof v === 'number'
            ? String(Number(v.toPrecision(10)))
            : v,
      ),
    )
    .sort()

withService("DuckDB's tpcds extension", [extension], () => {
  describe('the 99 queries of TPC-DS', () => {
    it('give through the lake what they give on plain tables', async () => {
      const folder = await temporaryFolder()
      const connection = await withTpcds(extensions as string)
      const rows = async (sql: string) =>
        (await connection.runAndReadAll(sql)).getRowObjectsJson() as ResultRow[]
      await connection.run('CALL dsdgen(sf = 0.01)')
      const tables = (await rows('SELECT table_name AS n FROM duckdb_tables()')).map(({ n }) =>
        String(n),
      )
      for (const name of tables)
        await connection.run(
          `COPY ${name} TO '${folder}/${name}.dat' (FORMAT csv, DELIMITER '|', HEADER false, NULLSTR '', QUOTE '', ESCAPE '')`,
        )
      const root = join(folder, 'lake')
      const args = ['-C', join(repository, 'examples/tpcds'), '--root', root, 'run']
      const run = await moraine(args, { TPCDS_DATA: folder })
      expect(run.code, run.stdout).toBe(0)
      const storage = new LocalStorage(root)
      const state = await new CommitLog(storage).head()
      const queries = await rows('SELECT query_nr AS nr, query FROM tpcds_queries() ORDER BY 1')
      expect(queries).toHaveLength(99)
      const wrong: string[] = []
      let answered = 0
      for (const { nr, query } of queries) {
        // Without a limit, which picks among rows that are equal in its order.
        const sql = String(query)
          .replace(/;\s*$/, '')
          .replace(/\blimit\s+\d+\s*$/i, '')
        const expected = await connection.runAndReadAll(sql)
        const ours = await queryRows(
          storage,
          state,
          await inSilver(connection, sql, new Set(tables)),
          { limits: limitsOf() },
        )
        const theirs = expected.getRowObjectsJson() as ResultRow[]
        if (JSON.stringify(plain(jsonRows(ours))) !== JSON.stringify(plain(theirs)))
          wrong.push(String(nr))
        if (ours.length > 0) answered++
      }
      expect(wrong).toEqual([])
      expect(answered).toBeGreaterThan(50)
      connection.closeSync()
    })
  })
})

/** Rows as the driver's JSON has them: whole numbers beyond 32 bits as texts. */
function jsonRows(rows: readonly ResultRow[]): ResultRow[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === 'bigint' ? String(value) : value,
      ]),
    ),
  )
}
