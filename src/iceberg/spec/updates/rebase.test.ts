import { describe, expect, it } from 'vitest'
import type { Snapshot, TableMetadata } from '../metadata.js'
import { applyUpdates, withUpdates } from './apply.js'
import { emptyMetadata } from './metadata-json.js'
import { adding, creating, naming, reshaping } from './own-updates.js'
import { rebased } from './rebase.js'

const snapshot = (id: number, time = id): Snapshot => ({
  'snapshot-id': id,
  ...(id > 1 ? { 'parent-snapshot-id': id - 1 } : {}),
  'sequence-number': id,
  'timestamp-ms': time,
  summary: { operation: 'append' },
  'manifest-list': `file:///lake/t/metadata/${id}.avro`,
})

const tag = (metadata: TableMetadata, name: string, id: number) =>
  withUpdates(metadata, [naming(name, { 'snapshot-id': id, type: 'tag' })])

const withSnapshot = (table: TableMetadata, added: Snapshot, previousFile?: string) =>
  applyUpdates(table, adding(table, added), { previousFile, now: 0 }) as TableMetadata

const created = withUpdates(emptyMetadata(2) as TableMetadata, creating('u', 'file:///lake/t'))
const columns = [{ name: 'id', type: { kind: 'int' as const } }]
const newTable = withUpdates(created, reshaping(created, { columns, partitions: [] }))

const statistics = (id: number, path: string) => ({
  'snapshot-id': id,
  'statistics-path': path,
})

/** A table of two snapshots, of which the first has a tag and statistics. */
const before = {
  ...tag(
    [1, 2].reduce(
      (table, id) => withSnapshot(table, snapshot(id), `file:///lake/t/metadata/${id}.json`),
      newTable,
    ),
    'old',
    1,
  ),
  statistics: [statistics(1, 'a')],
}
const mine = withSnapshot(before, snapshot(3), 'file:///lake/t/metadata/3.json')

const ids = ({ snapshots }: TableMetadata) => snapshots.map((one) => one['snapshot-id'])

describe('a change of a table beside one of its names', () => {
  it('has both: what each side has changed', () => {
    const theirs = {
      ...tag(tag(before, 'old', 2), 'new', 1),
      statistics: [statistics(1, 'a'), statistics(2, 'b')],
    }
    const both = rebased(mine, before, theirs) as TableMetadata
    expect(both.refs).toEqual({
      main: { 'snapshot-id': 3, type: 'branch' },
      old: { 'snapshot-id': 2, type: 'tag' },
      new: { 'snapshot-id': 1, type: 'tag' },
    })
    expect(ids(both)).toEqual([1, 2, 3])
    expect(both.statistics).toEqual([statistics(1, 'a'), statistics(2, 'b')])
    expect(both['current-snapshot-id']).toBe(3)
  })

  it('loses what one side has removed', () => {
    const { old: _, ...refs } = before.refs
    const theirs = { ...before, refs, statistics: [] }
    const both = rebased(mine, before, theirs) as TableMetadata
    expect(Object.keys(both.refs)).toEqual(['main'])
    expect(both.statistics).toEqual([])
  })

  it('keeps a snapshot that it has forgotten and the other has given a name', () => {
    const forgotten = {
      ...mine,
      refs: { main: mine.refs.main as never },
      snapshots: mine.snapshots.slice(1),
    }
    const both = rebased(forgotten, before, tag(before, 'again', 1)) as TableMetadata
    expect(ids(both)).toEqual([1, 2, 3])
  })

  it('forgets snapshots that the other has forgotten, and what is said of them', () => {
    const { old: _, ...refs } = before.refs
    const theirs = { ...before, refs, snapshots: before.snapshots.slice(1), statistics: [] }
    const both = rebased(mine, before, theirs) as TableMetadata
    expect(ids(both)).toEqual([2, 3])
    expect(both['snapshot-log'].map((entry) => entry['snapshot-id'])).toEqual([2, 3])
  })

  it('is none where the other has other rows, columns or properties, or is another table', () => {
    const rows = withSnapshot(before, snapshot(4), undefined)
    expect(rebased(mine, before, rows)).toBeUndefined()
    expect(rebased(mine, before, { ...before, 'current-schema-id': 7 })).toBeUndefined()
    const properties = { ...before.properties, owner: 'bob' }
    expect(rebased(mine, before, { ...before, properties })).toBeUndefined()
    expect(rebased({ ...mine, 'table-uuid': 'v' }, before, before)).toBeUndefined()
  })
})
