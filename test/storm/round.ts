import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openStorage } from '../../src/load/root.js'
import type { LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import type { Storage } from '../../src/storage/storage.js'
import { random } from '../support/seed.js'
import { Deliveries, folderOf } from './deliveries.js'
import { definitionOf, type Settings } from './lake.js'
import { type Delivery, Model, type Point, type Tables } from './model.js'
import { contradictions, differences, Reader } from './reader.js'
import type { Fate, Outcome, Running, Workers } from './workers.js'

/** Something that the lake must never do. */
export class Fault extends Error {}

/** What was done and seen, added up over all rounds. */
export class Counts {
  cycles = 0
  deliveries = 0
  rows = 0
  commits = 0
  flips = 0
  flipsFound = 0
  readonly events = new Map<string, number>()

  event(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1)
  }
}

/** Commits whose tables are remembered, to be held against what they are later. */
const REMEMBERED = 12
const conflict =
  /has changed the same|another run was faster|is still running .*, longer than --grace|Vacuum has removed files of this run|Files of this run are missing/i

export interface RoundOptions {
  root: string
  /** A folder for the project, of this round alone. */
  folder: string
  seed: number
  workers: Workers
  counts: Counts
}

/**
 * One lake, from its first commit on: what is delivered to it, what is done to it, and what it must
 * be.
 */
export class Round {
  readonly model = new Model()
  readonly chance: () => number
  readonly storage: Storage
  readonly log: CommitLog
  readonly deliveries: Deliveries
  readonly workers: Workers
  readonly counts: Counts
  readonly folder: string
  readonly root: string
  /** Where all deliveries were, at commits at which that is known. */
  readonly points = new Map<number, Point>()
  readonly remembered = new Map<number, Tables>()
  /** The deliveries that each batch holds, of the last comparison. */
  batches: { dataset: string; batch: string; deliveries: Delivery[] }[] = []
  settings: Settings = { limit: 500, partitioned: false, rewritten: 0 }
  /** What happened in this cycle and the one before, for people. */
  readonly told: string[] = []
  private seen = 0
  private reader: Reader | undefined

  constructor({ root, folder, seed, workers, counts }: RoundOptions) {
    this.chance = random(seed)
    this.root = root
    this.folder = folder
    this.storage = openStorage(root)
    this.log = new CommitLog(this.storage)
    this.workers = workers
    this.counts = counts
    this.deliveries = new Deliveries(this.model, this.chance, this.storage, folder)
  }

  async open(): Promise<void> {
    await mkdir(join(this.folder, 'in'), { recursive: true })
    await this.deliveries.start()
    await this.define()
    this.reader = await Reader.open(this.storage)
    await this.deliveries.drop()
    await this.deliveries.list()
    this.deliveries.offer()
    await this.settle()
  }

  async close(): Promise<void> {
    this.deliveries.close()
    await this.reader?.close()
  }

  /** Takes the lake and the project away. */
  async remove(): Promise<void> {
    const folder = folderOf(this.storage)
    if (folder) await rm(folder, { recursive: true, force: true })
    else for (const { path } of await this.storage.list('')) await this.storage.remove(path)
    await rm(this.folder, { recursive: true, force: true })
  }

  get isInFolder(): boolean {
    return folderOf(this.storage) !== undefined
  }

  below(n: number): number {
    return Math.floor(this.chance() * n)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  /** Writes `lake.ts` as the settings say. */
  async define(): Promise<void> {
    const text = definitionOf(this.settings, this.deliveries.api)
    await writeFile(join(this.folder, 'lake.ts'), text)
  }

  /** What is done to a command: mostly nothing. */
  fate(): Fate {
    const drawn = this.chance()
    const after = this.chance() * 1.1
    if (drawn < 0.4) return { kind: 'leave' }
    if (drawn < 0.6) return { kind: 'kill', after }
    if (drawn < 0.85) return { kind: 'die', after, before: this.chance() < 0.5 }
    if (drawn < 0.92) return { kind: 'terminate', after }
    return { kind: 'freeze', after, milliseconds: 50 + this.below(500) }
  }

  async start(argv: readonly string[], fate?: Fate): Promise<Running> {
    this.told.push(`${argv.join(' ')}${fate && fate.kind !== 'leave' ? ` [${told(fate)}]` : ''}`)
    const all = [...argv, '-C', this.folder, '--root', this.root]
    return this.workers.run(all, folderOf(this.storage) ?? '', fate)
  }

  /**
   * Runs a command to its end, which may be a violent one; `refusals` are failures that are as they
   * should be.
   */
  async command(argv: readonly string[], fate?: Fate, refusals?: RegExp): Promise<Outcome> {
    const outcome = await (await this.start(argv, fate)).end
    this.judge(argv, outcome, fate, refusals)
    return outcome
  }

  judge(
    argv: readonly string[],
    { code, text }: Outcome,
    fate?: Fate,
    ...refusals: (RegExp | undefined)[]
  ): void {
    const at = this.told.findLastIndex(
      (one) => one.startsWith(argv.join(' ')) && !one.includes('→'),
    )
    this.told[at] = `${this.told[at]} → ${code ?? 'killed'}`
    const violent = fate !== undefined && ['kill', 'die', 'terminate'].includes(fate.kind)
    if (code === 0 || (violent && code === undefined)) return
    if (fate?.kind === 'terminate' && code !== 70) return
    if (code !== 70 && code !== undefined && refusals.some((one) => one?.test(text))) return
    throw new Fault(`moraine ${argv.join(' ')} ended with ${code ?? 'a crash'}:\n${text.trim()}`)
  }

  /** What a command may fail with that runs beside another. */
  readonly lostRace = conflict

  /** One run that nobody disturbs, after which the lake is what the model says. */
  async settle(): Promise<void> {
    await this.command(['run'])
    await this.compare()
  }

  /** Holds the lake against the model, and each commit since the last comparison against itself. */
  async compare(): Promise<void> {
    const reader = this.reader as Reader
    const state = await this.log.head()
    const batches = await reader.batches(state)
    this.resolve(
      new Set(Object.values(batches).flatMap((of) => [...of.values()].flat().map(tagOf))),
    )
    this.model.arrive()
    const found: Tables = { ...(await reader.tables(state)) }
    for (const [name, of] of Object.entries(batches))
      found[name] = [...of.values()].flat().map(tagOf)
    const wrong = differences(found, this.model.tables(this.settings, new Date()))
    if (wrong.length > 0) throw new Fault(wrong.flatMap(shown).join('\n'))
    for (const [name, { counts }] of Object.entries(state.tables))
      if (counts) {
        const { in: all, kept, discarded, superseded, deleted = 0, expired = 0 } = counts
        if (all !== kept + discarded + superseded + deleted + expired)
          throw new Fault(`${name}: rows in do not add up: ${JSON.stringify(counts)}`)
      }
    await this.lookBack(state)
    this.batches = this.deliveriesIn(batches)
    this.points.set(state.number, this.model.point())
    this.remembered.set(state.number, withoutBronze(found))
    for (const number of [...this.remembered.keys()].slice(0, -REMEMBERED))
      this.remembered.delete(number)
  }

  /** A request without an answer is in the lake or not; but never a part of it. */
  private resolve(tags: ReadonlySet<string>): void {
    for (const delivery of this.model.deliveries) {
      if (delivery.where !== 'unknown') continue
      const there = delivery.rows.filter(({ tag }) => tags.has(tag)).length
      if (there === delivery.rows.length) delivery.where = 'in'
      else if (there > 0)
        throw new Fault(`${there} of ${delivery.rows.length} rows of ${delivery.name} are there`)
    }
  }

  /** Every commit since the last look, as its readers saw it; and one of before, as it was. */
  private async lookBack(head: LakeState): Promise<void> {
    const reader = this.reader as Reader
    const horizon = head.horizon ?? 0
    for (const number of this.points.keys())
      if (number < horizon) {
        this.points.delete(number)
        this.remembered.delete(number)
      }
    for (let number = Math.max(this.seen + 1, horizon); number <= head.number; number++) {
      const entry = await this.log.entry(number)
      if (!entry) throw new Fault(`commit ${number} is missing`)
      this.counts.commits++
      if (!entry.commit.changes.tables) continue
      const state = number === head.number ? head : await this.log.stateAt(number)
      const tables = await reader.tables(state)
      const found = contradictions(tables, 'silver')
      for (const gold of ['gold.days', 'gold.totals'] as const)
        found.push(...contradictions(await reader.asReadBy(gold, state, tables), gold))
      if (found.length > 0)
        throw new Fault(`commit ${number} (${entry.commit.message}): ${found.join('; ')}`)
    }
    this.seen = head.number
    const before = [...this.remembered.keys()]
    if (before.length === 0 || this.chance() > 0.3) return
    const number = this.pick(before)
    await this.isAsRemembered(number, await this.log.stateAt(number), 'read again')
  }

  async isAsRemembered(number: number, state: LakeState, how: string): Promise<void> {
    const then = this.remembered.get(number)
    if (!then) return
    const wrong = differences(await (this.reader as Reader).tables(state), then)
    if (wrong.length > 0)
      throw new Fault([`commit ${number}, ${how}, is another:`, ...wrong.flatMap(shown)].join('\n'))
  }

  private deliveriesIn(batches: Record<string, Map<string, string[]>>): Round['batches'] {
    return Object.entries(batches).flatMap(([dataset, of]) =>
      [...of].map(([batch, rows]) => {
        const keys = new Set(rows)
        const source = dataset.slice('bronze.'.length)
        const deliveries = this.model.deliveries.filter(
          (one) =>
            one.source === source &&
            one.where === 'in' &&
            one.rows.some(({ tag }) => keys.has(source === 'dropped' ? `${tag} ${one.name}` : tag)),
        )
        return { dataset, batch, deliveries }
      }),
    )
  }

  /** The tables of another storage at its head, held against those of this lake. */
  async isCopied(to: string): Promise<void> {
    const storage = openStorage(to)
    const reader = await Reader.open(storage)
    try {
      const mine = await (this.reader as Reader).tables(await this.log.head())
      const wrong = differences(await reader.tables(await new CommitLog(storage).head()), mine)
      if (wrong.length > 0)
        throw new Fault(['the copy is another:', ...wrong.flatMap(shown)].join('\n'))
    } finally {
      await reader.close()
    }
  }
}

const tagOf = (row: string) => row.split(' ')[0] ?? ''

function withoutBronze(tables: Tables): Tables {
  return Object.fromEntries(Object.entries(tables).filter(([name]) => !name.startsWith('bronze.')))
}

function shown({ table, lost, extra }: ReturnType<typeof differences>[number]): string[] {
  const some = (rows: string[]) =>
    `${rows.slice(0, 8).join(' | ')}${rows.length > 8 ? ` … (${rows.length})` : ''}`
  return [
    ...(lost.length > 0 ? [`${table} lacks: ${some(lost)}`] : []),
    ...(extra.length > 0 ? [`${table} has too much: ${some(extra)}`] : []),
  ]
}

function told(fate: Fate): string {
  if (fate.kind === 'leave') return ''
  const at = `at ${Math.round(fate.after * 100)} %`
  if (fate.kind === 'die') return `kill ${fate.before ? 'before' : 'after'} a touch ${at}`
  return fate.kind === 'freeze' ? `freeze ${at} for ${fate.milliseconds} ms` : `${fate.kind} ${at}`
}
