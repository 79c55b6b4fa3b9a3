import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sqlType } from '../../src/define/types/sql-type.js'
import { parseJson, toJsonText } from '../../src/iceberg/json.js'
import { currentSpec } from '../../src/iceberg/spec/metadata.js'
import { toColumnType } from '../../src/iceberg/spec/types.js'
import { Table } from '../../src/iceberg/table.js'
import { tableFiles } from '../../src/step/table-files.js'
import { LocalStorage } from '../../src/storage/local.js'
import { engineSession } from '../support/engine.js'
import { repository, temporaryFolder } from '../support/project.js'

/*
 * Tables that others wrote: Spark 4.1.4 with Iceberg 1.12.0, Trino 476 and PyIceberg 0.12, each by
 * the script write_*.py beside its folder, which also says what the table held.
 */

const golden = join(repository, 'test/golden/iceberg')
const session = engineSession()

const metadataFiles = (writer: string) =>
  readdirSync(join(golden, writer, 'metadata'))
    .filter((name) => name.endsWith('.metadata.json'))
    .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))

/** A copy of a table in a storage of its own, at its newest metadata. */
async function open(writer: string) {
  const folder = await temporaryFolder()
  cpSync(join(golden, writer), join(folder, 'silver/sales'), { recursive: true })
  const storage = new LocalStorage(folder)
  const table = await Table.load(storage, `silver/sales/metadata/${metadataFiles(writer).at(-1)}`)
  const expected = JSON.parse(readFileSync(join(golden, writer, 'expected.json'), 'utf8'))
  const relation = async (of = table) =>
    session().tables.scan(of.schema, tableFiles(storage, of, await of.plan()))
  return { storage, table, expected, relation }
}

const plain = (rows: object[]) =>
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === 'bigint' ? Number(value) : Number.isNaN(value) ? 'NaN' : value,
      ]),
    ),
  )

const columns = `id, town, CAST(amount AS VARCHAR) AS amount, place.street AS street, place.zip AS zip, seller`

describe('a table of', () => {
  it('Spark is read with its deletes, its new columns and its old snapshots', async () => {
    const { table, expected, relation, storage } = await open('spark')
    const rows = await session().rows(
      `SELECT id, town, CAST(amount AS VARCHAR) AS amount, CAST(sold_at AS VARCHAR) AS sold_at, place.street AS street, place.zip AS zip, place.country AS country, seller
       FROM (${await relation()}) ORDER BY id`,
    )
    expect(plain(rows)).toEqual(expected.rows)
    expect((await table.plan()).some(({ deletes }) => deletes.length > 0)).toBe(true)
    const { refs } = table.metadata
    const before = table.with({
      ...table.metadata,
      'current-snapshot-id': refs.before?.['snapshot-id'] as bigint,
    })
    const ids = await session().rows(
      `SELECT id FROM (${session().tables.scan(before.schema, tableFiles(storage, before, await before.plan()))}) ORDER BY id`,
    )
    expect(ids.map((row) => Number(row.id))).toEqual(expected.before)
  })

  it('Trino is read with its deletes and both of its partitionings', async () => {
    const { table, expected, relation } = await open('trino')
    const rows = await session().rows(
      `SELECT id, town, CAST(amount AS VARCHAR) AS amount, strftime(sold_at, '%Y-%m-%d %H:%M:%S.%f') AS sold_at, place.street AS street, place.zip AS zip, seller
       FROM (${await relation()}) ORDER BY id`,
    )
    expect(plain(rows)).toEqual(expected.rows)
    expect(table.metadata['partition-specs']).toHaveLength(2)
    // Filters pass over files of both.
    const all = await table.plan()
    const some = await table.plan([{ column: 'id', op: '=', values: ['104'] }])
    expect(some.length).toBeLessThan(all.length)
  })

  it('PyIceberg is read after overwrites, with values of before 1970 and NaN', async () => {
    const { expected, relation } = await open('pyiceberg')
    const rows = await session().rows(
      `SELECT id, town, score, CAST(day AS VARCHAR) AS day, seller FROM (${await relation()}) ORDER BY id, town`,
    )
    expect(plain(rows)).toEqual(expected.rows)
  })

  it.each(['spark', 'trino', 'pyiceberg'])(
    '%s keeps every digit of its ids, and takes new rows',
    async (writer) => {
      for (const name of metadataFiles(writer)) {
        const text = readFileSync(join(golden, writer, 'metadata', name), 'utf8')
        const again = toJsonText(parseJson(text))
        const ids = (of: string) => of.match(/\d{16,}/g) ?? []
        expect(ids(again)).toEqual(ids(text))
        expect(JSON.parse(again)).toEqual(JSON.parse(text))
      }
      const { storage, table, relation } = await open(writer)
      const before = await session().rows(`SELECT count(*) AS n FROM (${await relation()})`)
      const values = table.schema.fields.map((field) => {
        const type = sqlType(toColumnType(field.type))
        return `CAST(${field.name === 'id' ? '777' : 'NULL'} AS ${type}) AS "${field.name}"`
      })
      await storage.prepare(`${table.dataFolder}/x`)
      const added = await session().tables.write(`SELECT ${values.join(', ')}`, {
        schema: table.schema,
        spec: currentSpec(table.metadata),
        location: storage.locate(table.dataFolder),
        name: 'ours',
      })
      const next = await table.write({ added, removed: new Set() })
      expect(next.snapshot?.['parent-snapshot-id']).toEqual(table.snapshot?.['snapshot-id'])
      const loaded = await Table.load(storage, next.file as string)
      const after = await session().rows(
        `SELECT count(*) AS n, count(*) FILTER (id = 777) AS mine FROM (${await relation(loaded)})`,
      )
      expect(after).toEqual([{ n: (before[0]?.n as bigint) + 1n, mine: 1n }])
      // Rows that are deleted stay so.
      const found = await session().rows(
        `SELECT ${writer === 'pyiceberg' ? 'id' : columns} FROM (${await relation(loaded)}) WHERE id % 5 = 0 AND id < 41`,
      )
      expect(found.length).toBe(writer === 'pyiceberg' ? 8 : 0)
    },
  )
})
