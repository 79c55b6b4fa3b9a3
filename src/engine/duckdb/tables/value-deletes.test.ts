import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { IcebergField, Schema } from '../../../iceberg/spec/types.js'
import { Staging } from '../../../storage/staging.js'
import type { DeleteFile } from '../../engine.js'
import { DuckDB } from '../duckdb.js'
import { tableSql } from './scan.js'

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'since', required: false, type: 'string' },
  ],
}

/** The files of so many commits that change rows by their keys: each deletes what was before it. */
function sqlOf(commits: number): string {
  const fields = [{ id: 1, name: 'id', type: 'BIGINT' }]
  const deletes = Array.from({ length: commits }, (_, i): DeleteFile => {
    return { location: `file:///lake/deletes-${1000 + i}.parquet`, fields }
  })
  const files = deletes.map((_, i) => ({
    location: `file:///lake/data-${1000 + i}.parquet`,
    foreign: true,
    ...(i + 1 < commits ? { deletes: deletes.slice(i + 1) } : {}),
  }))
  return tableSql(new Staging(), schema, files, false)
}

it('SQL for tables that are changed by keys grows with their files, and not with pairs of them', () => {
  const [few, many] = [sqlOf(100), sqlOf(400)]
  expect(many.length / few.length).toBeLessThan(4.5)
  // Some are only asked whether they have field ids, and where they are in the order.
  expect(many.split('deletes-1399').length - 1).toBeLessThan(5)
  // What the order is called hides no column.
  expect(many).toContain('_d."since"')
})

it('reads of each commit what no later one has deleted, by whatever columns it has', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-deletes-'))
  const engine = await DuckDB.start({ threads: 1 })
  const session = await engine.open()
  onTestFinished(async () => {
    session.close()
    await engine.close()
    await rm(folder, { recursive: true })
  })
  // One of them is called as the engine calls what rows are found by.
  const [id, since] = schema.fields as [IcebergField, IcebergField]
  const text = { ...since, name: 'filename' }
  const named = { ...schema, fields: [id, text] }
  const write = async (name: string, sql: string, fields = named.fields) => {
    const spec = { 'spec-id': 0, fields: [] }
    const target = { schema: { ...named, fields }, spec, location: `file://${folder}`, name }
    return (await session.tables.write(sql, target))[0]?.path ?? ''
  }
  const rowsOf = (commit: number) => [
    [commit % 3, `of ${commit}`] as const,
    [null, 'none'] as const,
  ]
  const files: { location: string; commit: number }[] = []
  const deletes: { of: DeleteFile; commit: number; gone: (row: Row) => boolean }[] = []
  for (let commit = 0; commit < 7; commit++) {
    const values = rowsOf(commit).map(([id, name]) => `(${id}, '${name}')`)
    const sql = `SELECT * FROM (VALUES ${values.join(', ')}) AS t(id, filename)`
    files.push({ location: await write(`data-${commit}`, sql), commit })
    const key = commit === 3 ? null : commit % 3
    const byId = await write(`id-${commit}`, `SELECT ${key} AS id`, [id])
    const fields = [{ id: 1, name: 'id', type: 'BIGINT' }]
    deletes.push({ of: { location: byId, fields }, commit, gone: (row) => row[0] === key })
    if (commit % 2 === 0) continue
    const name = `of ${commit - 1}`
    const byName = await write(`n-${commit}`, `SELECT '${name}' AS filename`, [text])
    const other = [{ id: 2, name: 'filename', type: 'VARCHAR' }]
    deletes.push({
      of: { location: byName, fields: other },
      commit,
      gone: (row) => row[1] === name,
    })
  }
  const later = (commit: number) => deletes.filter((one) => one.commit > commit)
  const sql = session.tables.scanWithFiles(
    named,
    files.map(({ location, commit }) => {
      return { location, foreign: true, deletes: later(commit).map((one) => one.of) }
    }),
  )
  const read = await session.rows(`SELECT id, filename FROM (${sql}) ORDER BY 1, 2`)
  const left = files.flatMap(({ commit }) =>
    rowsOf(commit).filter((row) => !later(commit).some(({ gone }) => gone(row))),
  )
  const texts = (rows: readonly Row[]) => rows.map(([id, name]) => `${id} ${name}`).sort()
  expect(texts(read.map((row) => [row.id as bigint | null, String(row.filename)]))).toEqual(
    texts(left),
  )
  expect(left.length).toBeGreaterThan(5)
})

type Row = readonly [id: number | bigint | null, name: string]
