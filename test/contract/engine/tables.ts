import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { quoteText } from '../../../src/define/sql/sql.js'
import type { Session } from '../../../src/engine/engine.js'
import type { Schema } from '../../../src/iceberg/spec/types.js'
import { decodeValue } from '../../../src/iceberg/spec/values.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { within } from './session.js'

const field = (id: number, name: string, type: string) => ({ id, name, required: false, type })
const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    field(1, 'id', 'long'),
    field(2, 'a "b"', 'string'),
    field(3, 'price', 'decimal(9, 2)'),
    field(4, 'day', 'date'),
  ],
}
const rows = [
  { id: 1n, 'a "b"': '', price: '-0.50', day: '1969-12-31' },
  { id: 2n, 'a "b"': null, price: null, day: null },
  { id: 3n, 'a "b"': 'é😀', price: '12.00', day: '2024-02-29' },
]
const sql = `SELECT CAST(id AS BIGINT) AS id, CAST(t AS VARCHAR) AS "a ""b""", CAST(p AS DECIMAL(9, 2)) AS price, CAST(d AS DATE) AS day
  FROM (VALUES (1, '', '-0.50', '1969-12-31'), (2, NULL, NULL, NULL), (3, 'é😀', '12.00', '2024-02-29')) AS v(id, t, p, d)`

/** A folder of a table, and where its files are to lie. */
async function place(partitioned = false) {
  const folder = await mkdtemp(join(tmpdir(), "moraine it's "))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const storage = new LocalStorage(folder)
  await storage.prepare('data/x')
  const fields = partitioned
    ? [{ 'source-id': 4, 'field-id': 1000, name: 'day', transform: 'identity' as const }]
    : []
  const spec = { 'spec-id': 0, fields }
  return { storage, target: { schema, spec, location: storage.locate('data'), name: 'f1' } }
}

export function tablesContract(open: () => Promise<Session>): void {
  it('refuses a file of another program without field ids, rather than reading NULLs', () =>
    within(open, async (session) => {
      const { target, storage } = await place()
      const files = await session.tables.write(sql, target)
      const bare = storage.locate('data/bare.parquet')
      const path = quoteText(bare.replace('file://', ''))
      await session.run(`COPY (SELECT 4 AS id) TO ${path} (FORMAT parquet)`)
      const own = files.map(({ path: location }) => ({ location, foreign: true }))
      const read = (from: string) => session.rows(`SELECT count(*) AS n FROM (${from})`)
      expect(await read(session.tables.scan(schema, own))).toEqual([{ n: 3n }])
      const all = [...own, { location: bare, foreign: true }]
      for (const from of [
        session.tables.scan(schema, all),
        session.tables.scanWithFiles(schema, all),
      ])
        await expect(read(from)).rejects.toThrow(/without field ids.*bare\.parquet/)
      // One that deletes rows by values would delete those without a value.
      const fields = [{ id: 3, name: 'price', type: 'DECIMAL(9, 2)' }]
      const deletes = [{ location: bare, fields }]
      const deleted = own.map((file) => ({ ...file, deletes }))
      await expect(read(session.tables.scan(schema, deleted))).rejects.toThrow('without field ids')
    }))

  it('reads what it wrote, with the statistics that its files have', () =>
    within(open, async (session) => {
      const { target } = await place()
      const files = await session.tables.write(sql, target)
      expect(files.reduce((sum, file) => sum + file.rows, 0)).toBe(3)
      const from = session.tables.scan(
        schema,
        files.map(({ path }) => ({ location: path })),
      )
      expect(await session.rows(`SELECT * FROM (${from}) ORDER BY id`)).toEqual(rows)
      const [column] = files.flatMap(({ columns }) => columns.get(4) ?? [])
      expect(column).toMatchObject({ values: 3, nulls: 1 })
      const bounds = [column?.lower, column?.upper].map(
        (bytes) => bytes && decodeValue(bytes, 'date'),
      )
      expect(bounds).toEqual([-1n, 19_782n])
    }))

  it('writes a file for each partition, NULL included', () =>
    within(open, async (session) => {
      const { target } = await place(true)
      const files = await session.tables.write(sql, target)
      const partitions = files.map(({ partition }) => partition[0])
      expect(partitions.sort()).toEqual([-1n, 19_782n, null].sort())
    }))

  it('reads columns by their ids: renamed ones, new ones, and no files at all', () =>
    within(open, async (session) => {
      const { target } = await place()
      const files = (await session.tables.write(sql, target)).map(({ path }) => ({
        location: path,
      }))
      const [id, text] = schema.fields as [Schema['fields'][0], Schema['fields'][0]]
      const later = {
        ...schema,
        fields: [{ ...text, name: 'id' }, { ...id, name: 'number' }, field(9, 'new', 'date')],
      }
      const from = session.tables.scan(later, files)
      expect(await session.rows(`SELECT * FROM (${from}) WHERE number = 3`)).toEqual([
        { id: 'é😀', number: 3n, new: null },
      ])
      const none = session.tables.scan(later, [])
      expect(await session.rows(`SELECT * FROM (${none})`)).toEqual([])
      expect((await session.describe(none)).map(({ name }) => name)).toEqual([
        'id',
        'number',
        'new',
      ])
    }))

  it('leaves out the rows that lists of positions name, or reads those alone', () =>
    within(open, async (session) => {
      const { storage, target } = await place()
      const [file] = await session.tables.write(sql, target)
      if (!file) throw new Error('no file')
      const data = { location: file.path }
      const all = session.tables.scanWithFiles(schema, [data])
      const places = `SELECT _data_row AS pos FROM (${all}) WHERE id <> 2`
      const lists = { location: storage.locate('data/d1.parquet'), of: file, before: [] }
      const deletes = await session.tables.writeDeletes(places, lists)
      expect(deletes).toMatchObject({ content: 'position deletes', rows: 2 })
      const ids = (from: string) => session.rows(`SELECT id FROM (${from}) ORDER BY id`)
      const list = [{ location: deletes.path }]
      expect(await ids(session.tables.scan(schema, [{ ...data, deletes: list }]))).toEqual([
        { id: 2n },
      ])
      expect(await ids(session.tables.scan(schema, [{ ...data, only: list }]))).toEqual([
        { id: 1n },
        { id: 3n },
      ])
      const [named] = await session.rows(`SELECT DISTINCT _data_file AS f FROM (${all})`)
      expect(named?.f).toBe(session.tables.fileName(file.path))
    }))
}
