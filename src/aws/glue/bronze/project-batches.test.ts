import { beforeEach, expect, it } from 'vitest'
import { MemoryGlue } from '../../../../test/support/fake-glue.js'
import { bronze, defineLake } from '../../../index.js'
import type { BatchPointer, LakeState } from '../../../log/commit.js'
import { emptyState } from '../../../log/fold.js'
import type { CommitLog } from '../../../log/log.js'
import { files } from '../../../source/index.js'
import { writeManifest } from '../../../step/batches.js'
import { MemoryStorage } from '../../../storage/memory.js'
import { project } from '../project.js'

interface Said {
  columns?: string[]
  /** Types of columns whose values are kept as such. */
  values?: Record<string, string>
  /** What its manifest is called. */
  name?: string
}

/** A lake of many batches, and how often what describes one is read. */
class Shop {
  readonly storage = Object.assign(new MemoryStorage(), { url: 's3://lakes/shop' })
  readonly glue: MemoryGlue
  readonly lake = defineLake({ name: 'shop', datasets: [bronze('x', { from: files('x.csv') })] })
  readonly batches = new Map<number, BatchPointer>()
  reads = 0
  /** Calls of Glue that are left until it is away. */
  left = Number.POSITIVE_INFINITY
  private commit = 0

  constructor() {
    this.storage.locate = (path: string) => `s3://lakes/shop/${path}`
    const read = this.storage.read.bind(this.storage)
    this.storage.read = (path: string) => {
      if (path.startsWith('bronze/')) this.reads++
      return read(path)
    }
    this.glue = new MemoryGlue(() => {
      if (this.left-- <= 0) throw new Error('Glue is away')
    })
  }

  /** One more batch, or another description of one that is there. */
  async arrive(number: number, { columns = ['id'], values = {}, name = 'manifest' }: Said = {}) {
    const batch = `${String(number).padStart(6, '0')}-x`
    const folder = `bronze/x/2026-01-01/${batch}`
    const data = `${folder}/00001.parquet`
    const file = { name: 'x.csv', size: 1, modified: 0, sha256: '', rows: 1, broken: 0 }
    const { body: _, ...at } = await writeManifest(this.storage, `${folder}/${name}.json`, {
      ...{ format: 2, dataset: 'bronze.x', batch, number, created: '2026-01-01T00:00:00Z' },
      columns,
      files: [{ ...file, data, values, bytes: 1 }],
    })
    const pointer = { dataset: 'bronze.x', number, batch, ...at, rows: 1, bytes: 1 }
    this.batches.set(number, pointer)
  }

  /** Shows the lake as it is now; returns what was read for that. */
  async shown(options: { full?: boolean } = {}) {
    const { glue, lake, storage } = this
    const pointers = [...this.batches.values()].sort((a, b) => a.number - b.number)
    const state = {
      ...emptyState,
      number: ++this.commit,
      batches: { 'bronze.x': pointers },
    } as LakeState
    const log = { head: async () => state } as unknown as CommitLog
    this.reads = 0
    const { changes, notes } = await project({ lake, storage, log, glue, ...options })
    return { reads: this.reads, partitions: changes[0]?.partitions, notes }
  }

  get table() {
    return this.glue.databases.get('shop_bronze')?.get('x')
  }

  /** The columns of the table in Glue, and the batches of which it has partitions. */
  get columns() {
    return this.table?.StorageDescriptor?.Columns?.map(({ Name, Type }) => `${Name} ${Type}`)
  }
  get numbers() {
    return this.table?.parts
      .map(({ Values }) => Number(Values[0]?.slice(0, 6)))
      .sort((a, b) => a - b)
  }
}

const MANY = 450
const LINEAGE = ['_source_file string', '_error string', '_raw string']
let shop: Shop

beforeEach(async () => {
  shop = new Shop()
  for (let number = 1; number <= MANY; number++) await shop.arrive(number)
})

it('reads of a lake with many batches what describes new ones alone, and nothing where none is', async () => {
  const created = { reads: MANY, partitions: { added: MANY, removed: 0 } }
  expect(await shop.shown()).toMatchObject(created)
  expect(shop.columns).toEqual(['id string', ...LINEAGE])
  expect(await shop.shown()).toEqual({ reads: 0, partitions: undefined, notes: [] })

  await shop.arrive(MANY + 1, { columns: ['id', 'city'] })
  expect(await shop.shown()).toMatchObject({ reads: 1, partitions: { added: 1, removed: 0 } })
  expect(shop.columns).toEqual(['id string', ...LINEAGE, 'city string'])
  expect(shop.numbers).toHaveLength(MANY + 1)
  expect((await shop.shown()).reads).toBe(0)
})

it('reads what describes a batch that lost rows, and nothing of one that was discarded or expired', async () => {
  await shop.shown()
  await shop.arrive(7, { columns: ['id', 'left'], name: 'forgotten-1' })
  expect(await shop.shown()).toMatchObject({ reads: 1, partitions: { added: 1, removed: 1 } })
  expect(shop.columns).toContain('left string')

  const ninth = shop.batches.get(9) as BatchPointer
  shop.batches.set(9, { ...ninth, manifest: 'discarded.json', rows: 0, bytes: 0, discarded: 1 })
  for (const number of [1, 2]) shop.batches.delete(number)
  expect(await shop.shown()).toMatchObject({ reads: 0, partitions: { added: 0, removed: 3 } })
  expect(shop.numbers?.slice(0, 7)).toEqual([3, 4, 5, 6, 7, 8, 10])

  // Only who reads all knows that no batch has a column any more.
  await shop.arrive(7, { name: 'forgotten-2' })
  expect((await shop.shown()).reads).toBe(1)
  expect(shop.columns).toContain('left string')
  expect((await shop.shown({ full: true })).reads).toBe(MANY - 3)
  expect(shop.columns).toEqual(['id string', ...LINEAGE])
  expect(await shop.shown({ full: true })).toMatchObject({ partitions: undefined })
})

it.each([7, 8, 9, 10, 11, 12, 13])(
  'goes on where it was ended, after %i calls, with all columns',
  async (calls) => {
    await shop.arrive(1, { columns: ['id', 'first'], name: 'forgotten-1' })
    await shop.arrive(MANY, { columns: ['id', 'last'], name: 'forgotten-1' })
    shop.left = calls
    await expect(shop.shown()).rejects.toThrow('Glue is away')
    const shown = shop.numbers?.length ?? 0
    expect(shown > 0).toBe(calls > 7)
    shop.left = Number.POSITIVE_INFINITY
    expect((await shop.shown()).reads).toBe(MANY - shown)
    expect(shop.numbers).toHaveLength(MANY)
    expect(shop.columns).toEqual(['id string', 'first string', ...LINEAGE, 'last string'])
    expect((await shop.shown()).reads).toBe(0)
  },
)

it('mends columns that somebody has edited by those of the partitions', async () => {
  await shop.arrive(3, { columns: ['id', 'city'], name: 'forgotten-1' })
  await shop.shown()
  const before = shop.columns
  const { parts: _, ...table } = structuredClone(shop.table) as NonNullable<Shop['table']>
  const StorageDescriptor = { ...table.StorageDescriptor, Columns: [{ Name: 'id', Type: 'int' }] }
  shop.glue.put('shop_bronze', { ...table, StorageDescriptor })
  expect(await shop.shown()).toMatchObject({ reads: 0, partitions: { added: 0, removed: 0 } })
  expect(shop.columns?.sort()).toEqual(before?.sort())
})

it('says of a column that is a number in new batches and was a text that it is a text', async () => {
  await shop.shown()
  await shop.arrive(MANY + 1, { values: { id: 'BIGINT' } })
  const { reads, notes } = await shop.shown()
  expect([reads, notes]).toEqual([
    1,
    [
      {
        dataset: 'bronze.x',
        note: "its column 'id' has texts in some batches and values in others",
      },
    ],
  ])
  expect(shop.columns?.[0]).toBe('id string')
})

it('takes over partitions that an earlier version has made, and changes nothing that is seen of them', async () => {
  await shop.shown()
  const { table } = shop
  for (const part of table?.parts ?? []) part.Parameters = { 'moraine.commit': '1' }
  const Parameters = {
    ...table?.Parameters,
    'moraine.version': 'other',
    'moraine.batches': 'other',
  }
  shop.glue.put('shop_bronze', { ...(table as NonNullable<Shop['table']>), Parameters })
  const seen = () =>
    shop.table?.parts.map(({ Values, StorageDescriptor }) => [Values, StorageDescriptor])
  const before = seen()
  expect(await shop.shown()).toMatchObject({ reads: MANY, partitions: { added: 0, removed: 0 } })
  expect(seen()).toEqual(before)
  expect((await shop.shown()).reads).toBe(0)
})
