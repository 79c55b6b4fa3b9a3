import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CommitLog } from '../../../src/log/log.js'
import { Relations } from '../../../src/step/relations.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount } from '../../../test/support/effort.js'
import { engineSession } from '../../../test/support/engine.js'
import { moraine, repository, temporaryFolder } from '../../../test/support/project.js'
import { seed } from '../../../test/support/seed.js'
import { generate } from '../generate/main.js'
import * as sales from '../tables/sales.js'
import type { Table } from '../tables/table.js'

const session = engineSession()
const channels: readonly Table<any>[] = [sales.storeSales, sales.catalogSales, sales.webSales]

/** Days of each channel that are held back at first. */
const HELD = 12

/** What a delivery of a channel's rows holds; days count from the newest. */
interface Delivery {
  channel: number
  /** A day whose rows were held back: the next one, or one that is late. */
  days: number[]
  /** Rows that come again with another price, or as they were. */
  corrected: number[]
  repeated: number[]
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  channel: fc.nat({ max: channels.length - 1 }),
  days: fc.uniqueArray(fc.nat({ max: HELD - 1 }), { maxLength: 3 }),
  corrected: fc.array(fc.nat(), { maxLength: 20 }),
  repeated: fc.array(fc.nat(), { maxLength: 20 }),
})

/** A channel's rows: what the lake begins with, and what comes later. */
class Channel {
  readonly first: string[][]
  readonly held: readonly string[][][]
  private readonly price: number

  constructor(table: Table<any>, text: string) {
    this.price = Object.keys(table.columns).findIndex((name) => name.endsWith('_net_paid'))
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('|'))
    const day = (row: readonly string[]) => Number(row[0])
    const days = [...new Set(rows.map(day))].sort((a, b) => b - a).slice(0, HELD)
    this.held = days.map((sk) => rows.filter((row) => day(row) === sk))
    this.first = rows.filter((row) => !days.includes(day(row)))
  }

  rowsOf({ days, corrected, repeated }: Delivery): string {
    const pick = (i: number) => this.first[i % this.first.length] as string[]
    const rows = [
      ...days.flatMap((day) => this.held[day] ?? []),
      ...corrected.map((i) => pick(i).with(this.price, `${(i % 1000) + 0.25}`)),
      ...repeated.map(pick),
    ]
    return lines(rows)
  }
}

const lines = (rows: readonly string[][]) => rows.map((row) => `${row.join('|')}\n`).join('')

it('holds the same rows after any deliveries as a lake that is built from all of them at once', async () => {
  const given = await temporaryFolder()
  await generate(given, 0.005)
  const channelOf = async (table: Table<any>) =>
    new Channel(table, await readFile(join(given, `${table.name}.dat`), 'utf8'))
  const all = await Promise.all(channels.map(channelOf))
  for (const [i, { name }] of channels.entries()) {
    await rename(join(given, `${name}.dat`), join(given, `${name}.whole`))
    await mkdir(join(given, name))
    await writeFile(join(given, name, '0.dat'), lines(all[i]?.first ?? []))
  }
  await fc.assert(
    fc.asyncProperty(fc.array(delivery, { minLength: 2, maxLength: 4 }), async (deliveries) => {
      const data = await temporaryFolder()
      await cp(given, data, { recursive: true, preserveTimestamps: true })
      const lake = new Lake(data)
      await lake.run()
      for (const [i, delivery] of deliveries.entries()) {
        const name = channels[delivery.channel]?.name as string
        const rows = all[delivery.channel]?.rowsOf(delivery) ?? ''
        if (rows !== '') await writeFile(join(data, name, `${i + 1}.dat`), rows)
        await lake.run()
      }
      const before = await lake.tables()
      await lake.run('--full')
      expect(await lake.tables()).toEqual(before)
    }),
    { numRuns: amount(1, 1, 4), endOnFailure: true, seed },
  )
})

class Lake {
  private readonly root: string

  constructor(private readonly data: string) {
    this.root = join(data, 'lake')
  }

  async run(...options: string[]): Promise<void> {
    const args = ['-C', join(repository, 'examples/tpcds'), '--root', this.root, 'run', ...options]
    const { code, stdout, stderr } = await moraine(args, { TPCDS_DATA: this.data })
    expect([code, stderr], stdout).toEqual([0, ''])
  }

  /** Rows and a hash of them, by table; when a row was loaded does not count. */
  async tables(): Promise<Record<string, unknown>> {
    const storage = new LocalStorage(this.root)
    const state = await new CommitLog(storage).head()
    const relations = new Relations(storage, state)
    const found: Record<string, unknown> = {}
    for (const name of Object.keys(state.tables)) {
      const rows = await relations.tableRelation(session(), name)
      const [row] = await session().rows(
        `SELECT count(*) AS n, sum(hash(t)) AS h FROM (
           SELECT COLUMNS(c -> c NOT IN ('_loaded_at', '_discarded_at')) FROM (${rows})) AS t`,
      )
      found[name] = row
    }
    return found
  }
}
