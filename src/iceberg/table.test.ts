import { describe, expect, it } from 'vitest'
import { manifestsOfVersion1 } from '../../test/support/manifests-of-version-1.js'
import { identity } from '../define/partition.js'
import { MemoryStorage } from '../storage/memory.js'
import { encodeContainer } from './spec/avro.js'
import { type DataFile, encodeManifest, type ManifestFile } from './spec/manifest.js'
import type { Snapshot } from './spec/metadata.js'
import type { PartitionSpec } from './spec/transforms.js'
import { expiring, naming } from './spec/updates/own-updates.js'
import { Table } from './table.js'

const file = (path: string, city: string | null, rows = 10): DataFile => ({
  path,
  rows,
  bytes: rows * 10,
  partition: [city],
  columns: new Map(),
})

async function newTable() {
  const storage = new MemoryStorage()
  const table = Table.create(storage, 'silver/shops').reshape({
    columns: [
      { name: 'id', type: { kind: 'int' } },
      { name: 'city', type: { kind: 'string' } },
    ],
    partitions: [identity('city')],
  })
  return { storage, table }
}

const paths = async (table: Table) => (await table.scan()).map((f) => f.path).sort()

describe('a table', () => {
  it('appends, overwrites partitions, and replaces; old versions stay as they were', async () => {
    const { storage, table } = await newTable()
    const one = await table.write({
      removed: new Set(),
      added: [file('a', 'Berlin'), file('b', 'Rom')],
    })
    const two = await one.write({
      removed: new Set(),
      added: [file('c', 'Rom', 5), file('d', null)],
    })
    const changed = [file('e', 'Rom', 7), file('f', null, 1)]
    const three = await two.write({
      removed: await two.filesInPartitionsOf(changed),
      added: changed,
    })
    const four = await three.write({ removed: 'all', added: [file('g', 'Oslo', 3)] })

    expect(await paths(one)).toEqual(['a', 'b'])
    expect(await paths(two)).toEqual(['a', 'b', 'c', 'd'])
    expect(await paths(three)).toEqual(['a', 'e', 'f'])
    expect(await paths(four)).toEqual(['g'])
    expect(
      [one, two, three, four].map((t) => [t.snapshot?.summary.operation, t.totals.rows]),
    ).toEqual([
      ['append', 20],
      ['append', 35],
      ['overwrite', 18],
      ['overwrite', 3],
    ])
    const again = await Table.load(storage, four.file as string)
    expect(again.metadata.snapshots.map((s) => s['parent-snapshot-id'])).toEqual([
      undefined,
      ...again.metadata.snapshots.slice(0, 3).map((s) => s['snapshot-id']),
    ])
    expect(again.metadata['metadata-log']).toHaveLength(3)
    expect(again.metadata.properties['gc.enabled']).toBe('false')
  })

  it('keeps manifests that a change does not touch', async () => {
    const { table } = await newTable()
    const one = await table.write({ removed: new Set(), added: [file('a', 'Berlin')] })
    const two = await one.write({ removed: new Set(), added: [file('b', 'Rom')] })
    const three = await two.write({ removed: new Set(['b']), added: [] })
    const [kept] = await one.manifests()
    expect((await three.manifests()).map((m) => m.manifest_path)).toContain(kept?.manifest_path)
    expect(three.snapshot?.summary.operation).toBe('delete')
    // The next snapshot has no use for a manifest that lists deleted files only.
    expect(await (await three.write({ removed: new Set(), added: [] })).manifests()).toHaveLength(1)
  })

  it('keeps the ids of columns whose meaning stays, and gives new ones to all others', async () => {
    const { table } = await newTable()
    const ids = (t: Table) => Object.fromEntries(t.schema.fields.map((f) => [f.name, f.id]))
    const changed = table.reshape({
      columns: [
        { name: 'city', type: { kind: 'string' } },
        { name: 'id', type: { kind: 'bigint' } },
        { name: 'tags', type: { kind: 'list', element: { kind: 'string' } } },
      ],
      partitions: [],
    })
    expect(ids(table)).toEqual({ id: 1, city: 2 })
    // A wider type reads what is there; another one does not.
    expect(ids(changed)).toEqual({ city: 2, id: 1, tags: 3 })
    expect(changed.metadata['last-column-id']).toBe(4)
    const other = changed.reshape({
      columns: [
        { name: 'id', type: { kind: 'string' } },
        { name: 'town', type: { kind: 'string' } },
      ],
      partitions: [],
      renamed: { city: 'town' },
    })
    expect(ids(other)).toEqual({ id: 5, town: 2 })
    // Back in the order that it had: the old schema is used again.
    const moved = table.reshape({
      columns: [
        { name: 'city', type: { kind: 'string' } },
        { name: 'id', type: { kind: 'int' } },
      ],
      partitions: [],
    })
    const back = moved.reshape({
      columns: [
        { name: 'id', type: { kind: 'int' } },
        { name: 'city', type: { kind: 'string' } },
      ],
      partitions: [identity('city')],
    })
    expect(back.metadata['current-schema-id']).toBe(table.metadata['current-schema-id'])
    expect(back.metadata['default-spec-id']).toBe(table.metadata['default-spec-id'])
  })

  it('passes over manifests and files by partition', async () => {
    const { table } = await newTable()
    const one = await table.write({ removed: new Set(), added: [file('a', 'Berlin')] })
    const two = await one.write({
      removed: new Set(),
      added: [file('b', 'Rom'), file('c', 'Wien')],
    })
    const found = await two.scan([{ column: 'city', op: '=', values: ['Rom'] }])
    // No bounds here: the manifest of Berlin is passed over, that of Rom and Wien is not.
    expect(found.map((f) => f.path)).toEqual(['b', 'c'])
  })

  it('forgets old snapshots, but none that a name or a branch needs', async () => {
    const { table } = await newTable()
    let current = table
    const ids: number[] = []
    for (let i = 0; i < 130; i++) {
      current = await current.write({ removed: new Set(), added: [file(`f${i}`, 'Bern')] })
      const id = current.snapshot?.['snapshot-id'] as number
      ids.push(id)
      if (i === 2) current = current.updated([naming('audit', { 'snapshot-id': id, type: 'tag' })])
    }
    const { snapshots, refs } = current.metadata
    expect(snapshots.map((s) => s['snapshot-id'])).toEqual([ids[2], ...ids.slice(-100)])
    expect(refs.audit?.['snapshot-id']).toBe(ids[2])
    expect(current.metadata['snapshot-log'].map((e) => e['snapshot-id'])).toEqual(ids.slice(-100))
    expect(current.metadata['metadata-log'].length).toBeLessThanOrEqual(100)
    // Without its name it goes, and what is current does not.
    const { metadata } = current.updated([{ action: 'remove-snapshot-ref', 'ref-name': 'audit' }])
    expect(expiring(metadata, Date.now())).toEqual([
      { action: 'remove-snapshots', 'snapshot-ids': [ids[2]] },
    ])
    // Small manifests were put together, and nothing was lost on the way.
    expect((await current.manifests()).length).toBeLessThan(15)
    expect(await current.scan()).toHaveLength(130)
  })

  it('goes on after it was upgraded from version 1, which numbers nothing and may not count', async () => {
    const { storage, table } = await newTable()
    const added = [file('a', 'Berlin'), file('b', 'Rom'), file('c', 'Rom')]
    const one = await table.write({ removed: new Set(), added })
    const two = await one.write({ removed: new Set(['c']), added: [] })
    // An engine wrote this as version 1: only the table's metadata were changed since.
    const [row] = await two.manifests()
    const entries = await two.entries(row as ManifestFile)
    const numbers = { sequenceNumber: null, fileSequenceNumber: null }
    const [spec] = two.metadata['partition-specs'] as [PartitionSpec]
    const bare = entries.map((entry) => ({ ...entry, ...numbers }))
    const manifest = encodeManifest({ schema: two.schema, spec }, bare, new Uint8Array(16))
    await storage.write('silver/shops/metadata/old.avro', manifest)
    const { manifest_length, partition_spec_id, added_snapshot_id } = row as ManifestFile
    const manifest_path = storage.locate('silver/shops/metadata/old.avro')
    const listed = { manifest_path, manifest_length, partition_spec_id, added_snapshot_id }
    const list = encodeContainer(manifestsOfVersion1, {}, [listed], new Uint8Array(16))
    await storage.write('silver/shops/metadata/old-list.avro', list)
    const snapshot = {
      ...(two.snapshot as Snapshot),
      summary: { operation: 'delete' as const },
      'manifest-list': storage.locate('silver/shops/metadata/old-list.avro'),
    }
    const upgraded = two.withMetadata({ ...two.metadata, snapshots: [snapshot] })
    expect(await paths(upgraded)).toEqual(['a', 'b'])

    const three = await upgraded.write({ removed: new Set(), added: [file('d', 'Oslo')] })
    expect(three.totals).toMatchObject({ rows: 30, files: 3 })
    const four = await three.write({ removed: new Set(['a']), added: [] })
    const again = await Table.load(storage, four.file as string)
    expect(await paths(again)).toEqual(['b', 'd'])
    const all = await Promise.all((await again.manifests()).map((one) => again.entries(one)))
    // An entry that was there before must have the number of its own (spec, Manifest Entry Fields).
    const found = all.flat().map(({ file, sequenceNumber }) => [file.path, sequenceNumber])
    expect(found.sort()).toEqual([
      ['a', 0],
      ['b', 0],
      ['d', 3],
    ])
  })
})
