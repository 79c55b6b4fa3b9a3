import { expect, it } from 'vitest'
import { filesOf, type Planned, tasksOf } from './deletes.js'
import type { DataFile } from './spec/manifest.js'
import type { PartitionSpec } from './spec/transforms.js'

const whole: PartitionSpec = { 'spec-id': 0, fields: [] }
const parted: PartitionSpec = {
  'spec-id': 1,
  fields: [{ 'source-id': 1, 'field-id': 1000, name: 'city', transform: 'identity' }],
}

/** A file that a commit adds: commits are numbered. */
function entry(path: string, commit: number, about: Partial<DataFile> = {}): Planned {
  const file: DataFile = {
    ...{ path, rows: 1, bytes: 1, partition: [], columns: new Map() },
    ...about,
  }
  const numbers = { sequenceNumber: commit, fileSequenceNumber: commit }
  const spec = file.partition.length
  return { entry: { status: 'added', snapshotId: commit, ...numbers, file }, spec }
}

const byValue = { content: 'equality deletes', equalityIds: [1] } as const

/** What a job leaves behind that changes rows by their keys, as Flink does at each checkpoint. */
const upserts = (commits: number) =>
  Array.from({ length: commits }, (_, i) => [
    entry(`data ${i}`, i + 1),
    entry(`deletes ${i}`, i + 1, byValue),
  ]).flat()

const listed = (found: readonly Planned[]) =>
  tasksOf(found, [whole, parted], 'ml.state').map(({ file, deletes }) => [
    file.path,
    deletes.map(({ path }) => path),
  ])

it('deletes by values are about what came before them, in the order in which they came', () => {
  expect(listed(upserts(4).reverse())).toEqual([
    ['data 3', []],
    ['data 2', ['deletes 3']],
    ['data 1', ['deletes 2', 'deletes 3']],
    ['data 0', ['deletes 1', 'deletes 2', 'deletes 3']],
  ])
})

it('deletes are about their partition, or about all, and lists of positions also about their commit', () => {
  const [rome, oslo] = [{ partition: ['Rome'] }, { partition: ['Oslo'] }]
  const found = [
    entry('in Rome', 2, rome),
    entry('in Oslo', 2, oslo),
    entry('later in Rome', 5, rome),
    entry('values in Rome', 3, { ...byValue, ...rome }),
    entry('values anywhere', 4, byValue),
    entry('values at once', 2, byValue),
    entry('positions in Oslo', 2, { content: 'position deletes', ...oslo }),
    entry('of one', 5, { content: 'position deletes', referenced: 'later in Rome', ...rome }),
  ]
  expect(listed(found)).toEqual([
    ['in Rome', ['values in Rome', 'values anywhere']],
    ['in Oslo', ['positions in Oslo', 'values anywhere']],
    ['later in Rome', ['of one']],
  ])
})

it('files of one commit share their list, so that there are no more than commits', () => {
  const many = Array.from({ length: 3000 }, (_, i) => entry(`old ${i}`, 1))
  const deletes = Array.from({ length: 3000 }, (_, i) => entry(`deletes ${i}`, 2 + i, byValue))
  const tasks = tasksOf([...many, ...deletes], [whole], 'ml.state')
  expect(new Set(tasks.map((task) => task.deletes)).size).toBe(1)
  expect(filesOf(tasks)).toHaveLength(6000)
})

it('a table whose deletes nobody applies is refused before it takes all memory', () => {
  expect(tasksOf(upserts(1000), [whole], 'ml.state')).toHaveLength(1000)
  expect(() => tasksOf(upserts(20_000), [whole], 'ml.state')).toThrow(
    expect.objectContaining({
      kind: 'source',
      message: expect.stringMatching(/^ml\.state has more deletes than can be read: 1,000,000/),
      hint: expect.stringContaining('rewrite_data_files'),
    }),
  )
})
