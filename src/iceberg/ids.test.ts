import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemoryStorage } from '../storage/memory.js'
import { toJsonText } from './json.js'
import { decodeManifestList, encodeManifestList } from './spec/manifest-list.js'
import type { Id } from './spec/metadata.js'
import { naming } from './spec/updates/own-updates.js'
import { Table } from './table.js'

/*
 * Snapshot ids of other engines have 63 bits. Neighbours are the same to a number, so that whoever
 * makes numbers of them takes one snapshot for another.
 */

const id = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  fc.bigInt({ min: 2n ** 63n - 5n, max: 2n ** 63n - 1n }),
)
/** As what is read from a file has them. */
const read = (one: bigint): Id => (one <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(one) : one)

/** A table that another engine wrote, whose snapshots follow each other. */
async function foreign(storage: MemoryStorage, ids: readonly bigint[]) {
  const own = Table.create(storage, 'silver/t').reshape({
    columns: [{ name: 'id', type: { kind: 'int' } }],
    partitions: [],
  })
  const snapshots = []
  for (const [i, snapshot] of ids.entries()) {
    const list = `silver/t/metadata/${i}.avro`
    const parent = ids[i - 1] ?? null
    const numbers = { snapshotId: snapshot, parentId: parent, sequenceNumber: i + 1 }
    await storage.write(list, encodeManifestList([], numbers, Buffer.alloc(16)))
    snapshots.push({
      'snapshot-id': snapshot,
      ...(parent === null ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': i + 1,
      'timestamp-ms': 1000 + i,
      summary: { operation: 'append' },
      'manifest-list': storage.locate(list),
    })
  }
  const last = ids.at(-1) as bigint
  const metadata = {
    ...own.metadata,
    'last-sequence-number': ids.length,
    'last-updated-ms': 1000 + ids.length,
    'current-snapshot-id': last,
    refs: {
      main: { 'snapshot-id': last, type: 'branch' },
      first: { 'snapshot-id': ids[0], type: 'tag' },
    },
    snapshots,
    'snapshot-log': ids.map((one, i) => ({ 'timestamp-ms': 1000 + i, 'snapshot-id': one })),
    statistics: ids.map((one) => ({ 'snapshot-id': one, 'statistics-path': `s-${one}` })),
  }
  const path = 'silver/t/metadata/v1.metadata.json'
  await storage.write(path, new TextEncoder().encode(toJsonText(metadata)))
  return Table.load(storage, path)
}

it('tables keep snapshots of 63 bits apart: when they are read, named, written on and expired', async () => {
  const some = fc.uniqueArray(id, { minLength: 2, maxLength: 6 })
  const inRow = id.map((one) => [
    one,
    one > 9n ? one - 1n : one + 1n,
    one > 9n ? one - 2n : one + 2n,
  ])
  await fc.assert(
    fc.asyncProperty(fc.oneof(some, inRow), async (ids) => {
      const table = await foreign(new MemoryStorage(), ids)
      expect(table.snapshot?.['snapshot-id']).toBe(read(ids.at(-1) as bigint))
      const [first, second] = ids.map(read) as [Id, Id]
      const at = table.updated([naming('main', { 'snapshot-id': second, type: 'branch' })])
      expect(at.snapshot?.['manifest-list']).toBe('memory:///lake/silver/t/metadata/1.avro')
      const next = await table.write({ removed: new Set(), added: [] })
      expect(next.snapshot?.['parent-snapshot-id']).toBe(read(ids.at(-1) as bigint))
      // All but the newest and the one that has a name.
      const left = await next.expired(new Date(Date.now() + 1000)).save()
      expect(left.metadata.snapshots.map((one) => one['snapshot-id'])).toEqual([
        first,
        next.snapshot?.['snapshot-id'],
      ])
      expect(left.metadata.statistics).toEqual([
        { 'snapshot-id': first, 'statistics-path': `s-${first}` },
      ])
      const again = await Table.load(new Reread(left), left.pointer)
      expect(again.metadata).toEqual(left.metadata)
    }),
    { numRuns: 100 },
  )
})

/** The storage of a table, from which nothing is known yet. */
class Reread extends MemoryStorage {
  constructor(table: Table) {
    super()
    const { objects } = (table as unknown as { storage: MemoryStorage }).storage
    for (const [path, bytes] of objects) this.objects.set(path, bytes)
  }
}

it('lists of manifests keep the ids of who added them', () => {
  fc.assert(
    fc.property(id, id, (snapshotId, parentId) => {
      const manifest = {
        manifest_path: 'm',
        manifest_length: 1,
        partition_spec_id: 0,
        content: 0,
        sequence_number: 1,
        min_sequence_number: 1,
        added_snapshot_id: snapshotId,
        added_files_count: 0,
        existing_files_count: 0,
        deleted_files_count: 0,
        added_rows_count: 0,
        existing_rows_count: 0,
        deleted_rows_count: 0,
        partitions: null,
      }
      const ids = { snapshotId, parentId, sequenceNumber: 1 }
      const list = encodeManifestList([manifest as never], ids, Buffer.alloc(16))
      expect(decodeManifestList(list)[0]?.added_snapshot_id).toBe(read(snapshotId))
    }),
    { numRuns: 100 },
  )
})
