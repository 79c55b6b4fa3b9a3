import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { identity, month } from '../../src/define/partition.js'
import type { Field } from '../../src/define/types/column-type.js'
import { sqlType } from '../../src/define/types/sql-type.js'
import { parseJson, toJsonText } from '../../src/iceberg/json.js'
import { currentSpec } from '../../src/iceberg/spec/metadata.js'
import { toColumnType } from '../../src/iceberg/spec/types.js'
import { naming } from '../../src/iceberg/spec/updates/own-updates.js'
import { Table } from '../../src/iceberg/table.js'
import { tableFiles } from '../../src/step/table-files.js'
import { LocalStorage } from '../../src/storage/local.js'
import { MemoryStorage } from '../../src/storage/memory.js'
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
    const id = refs.before?.['snapshot-id'] as bigint
    const before = table.updated([naming('main', { type: 'branch', 'snapshot-id': id })])
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

describe('a table of the lake’s own', () => {
  it('is written as it ever was, byte by byte', async () => {
    let made = 0
    const effects = {
      now: () => new Date(1_767_225_600_000 + ++made * 1000),
      uuid: () => `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`,
      snapshotId: () => 9_007_199_254_740_000 + ++made,
    }
    const storage = new MemoryStorage()
    const file = (name: string, partition: (string | bigint)[] = []) => ({
      path: `memory:///lake/silver/shops/data/${name}`,
      rows: 10,
      bytes: 100,
      partition,
      columns: new Map(),
    })
    const id: Field = { name: 'id', type: { kind: 'int' } }
    const city: Field = { name: 'city', type: { kind: 'string' }, description: 'Where it is' }
    const opened: Field = { name: 'opened', type: { kind: 'date' } }
    const amount = { kind: 'decimal' as const, precision: 9, scale: 2 }
    const notes = { kind: 'map' as const, key: { kind: 'string' as const }, value: amount }
    const day = { name: 'day', type: { kind: 'date' as const } }
    const element = { kind: 'struct' as const, fields: [day, { name: 'notes', type: notes }] }
    const hours: Field = { name: 'hours', type: { kind: 'list', element } }
    const none = new Set<string>()
    let table = Table.create(storage, 'silver/shops', effects).reshape({
      columns: [id, city],
      partitions: [],
      about: { comment: 'Shops' },
    })
    const summary = { 'moraine.run': 'one' }
    table = await table.write({ removed: none, added: [file('a')], summary })
    table = await table
      .reshape({
        columns: [id, city, opened, hours],
        partitions: [identity('city'), month('opened')],
      })
      .write({ removed: none, added: [file('b', ['Rom', 672n])] })
    table = await table
      .reshape({
        columns: [{ ...id, type: { kind: 'bigint' } }, { ...city, name: 'town' }, opened, hours],
        partitions: [identity('town')],
        renamed: { city: 'town' },
        about: { owner: 'ada' },
      })
      .save()
    table = await table.write({
      removed: new Set([file('a').path]),
      added: [file('c', ['Oslo'])],
    })
    table = await table.write({ removed: 'all', added: [file('d', ['Bern'])] })
    table = await table.expired(new Date(1_767_225_600_000 + 40_000)).save()
    const text = new TextDecoder().decode(storage.objects.get(table.file as string))
    const expected = join(golden, 'moraine/shops.metadata.txt')
    // Markers within manifests are random, and so are their checksums.
    expect(text.replace(/"[0-9a-f]{64}"/g, '"SUM"')).toBe(readFileSync(expected, 'utf8'))
  })
})
