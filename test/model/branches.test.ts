import fc from 'fast-check'
import { expect, it } from 'vitest'
import { promote } from '../../src/branch/promote.js'
import { commitText } from '../../src/branch/reviewed.js'
import { MoraineError } from '../../src/errors.js'
import { Table } from '../../src/iceberg/table.js'
import { createBranch, deleteBranch, openNamed, renameBranch } from '../../src/log/branch/named.js'
import { ownChanges, statesOf } from '../../src/log/branch/own-changes.js'
import { refreshBranch } from '../../src/log/branch/refresh.js'
import type { LakeState, TableState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import { MemoryStorage } from '../../src/storage/memory.js'
import { amount } from '../support/effort.js'

/*
 * Branches beside runs, rollbacks and vacuums of others: three actors on one storage, whose
 * operations meet in every order that the scheduler draws, with crashes. The log, the branches, the
 * tables' metadata and the vacuum are the real ones. A table has as many rows as it has read
 * batches with rows: so lost and doubled rows are seen.
 */

const info = { author: 'ada', run: null, message: 'test' }
const author = { author: 'ada', run: null }
const name = fc.constantFrom('dev', 'next')
const deed = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('ingest' as const), rows: fc.constantFrom(1, 1, 0) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('run' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('create' as const), name }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('work' as const), name, version: fc.nat(3) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('promote' as const), name, keep: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refresh' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), name, to: name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rollback' as const),
      back: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('vacuum' as const), history: fc.boolean() }),
  },
)
type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

/** Storage of one actor: its calls wait for their turn, and after some of them it is dead. */
class Scheduled extends MemoryStorage {
  private left = Number.POSITIVE_INFINITY
  isDead = false

  constructor(
    private readonly real: MemoryStorage,
    private readonly scheduler: fc.Scheduler,
  ) {
    super()
  }

  crashAfter(calls: number | undefined): void {
    this.left = calls ?? Number.POSITIVE_INFINITY
    this.isDead = false
  }

  private async turn<T>(act: () => Promise<T>): Promise<T> {
    await this.scheduler.schedule(Promise.resolve())
    if (this.left-- <= 0) {
      this.isDead = true
      throw new Error('it has crashed')
    }
    return act()
  }

  override read = (path: string) => this.turn(() => this.real.read(path))
  override readIfPresent = (path: string) => this.turn(() => this.real.readIfPresent(path))
  override stat = (path: string) => this.turn(() => this.real.stat(path))
  override list = (prefix: string) => this.turn(() => this.real.list(prefix))
  override folders = (prefix: string) => this.turn(() => this.real.folders(prefix))
  override entries = (prefix: string) => this.turn(() => this.real.entries(prefix))
  override write = (path: string, bytes: Uint8Array) =>
    this.turn(() => this.real.write(path, bytes))
  override createIfAbsent = (path: string, bytes: Uint8Array) =>
    this.turn(() => this.real.createIfAbsent(path, bytes))
  override remove = (path: string) => this.turn(() => this.real.remove(path))
}

const encoder = new TextEncoder()
let made = 0

/** What actors were told. */
interface Told {
  published: {
    commit: number
    tables: object
    /** The branch's id, and its last commit that was published, or said to be not. */
    branch: string
    last: number
    keep: boolean
  }[]
  /** Commits to branches. */
  worked: { branch: string; number: number }[]
}

/** What one actor does; each deed is a process of its own, which may die. */
class Actor {
  constructor(
    private readonly storage: Scheduled,
    private readonly told: Told,
  ) {}

  async do(what: Deed, crash: number | undefined): Promise<void> {
    this.storage.crashAfter(crash)
    try {
      await this.carryOut(what)
    } catch (error) {
      const isKnown = error instanceof MoraineError && ['conflict', 'usage'].includes(error.kind)
      if (!this.storage.isDead && !isKnown) throw error
    } finally {
      this.storage.crashAfter(undefined)
    }
  }

  private async carryOut(what: Deed): Promise<unknown> {
    const { storage } = this
    const log = new CommitLog(storage)
    switch (what.kind) {
      case 'ingest':
        return ingest(storage, log, what.rows)
      case 'run':
        return build(storage, log, 0)
      case 'create':
        return createBranch(log, what.name, await log.head(), author)
      case 'work': {
        const branch = await openNamed(log, what.name)
        const state = await build(storage, branch, what.version + 1)
        if (state) this.told.worked.push({ branch: branch.branch, number: state.number })
        return
      }
      case 'refresh':
        return refreshBranch(log, what.name, author)
      case 'delete':
        return deleteBranch(log, what.name, author)
      case 'rename':
        return renameBranch(log, what.name, what.to, author)
      case 'rollback': {
        const { number, horizon = 0 } = await log.head()
        const to = number - what.back
        return to > Math.max(0, horizon) ? log.rollback(to, author) : undefined
      }
      case 'vacuum': {
        const history = what.history ? { history: 0 } : {}
        return vacuum(log, storage, { ...history, grace: 0, remove: true, info })
      }
      case 'promote': {
        const states = await statesOf(await openNamed(log, what.name))
        const reviewed = commitText(states.head)
        const options = { keep: what.keep, reviewed }
        const promoted = await promote({ log, storage }, what.name, author, options)
        const { commit, unpublished } = promoted
        if (commit === undefined) return
        const { tables } = ownChanges(states)
        const last = Number((unpublished?.commit ?? reviewed).split('-')[0])
        const { branch } = states.branch
        this.told.published.push({ commit, tables, branch, last, keep: what.keep })
      }
    }
  }
}

/** Files are not what this is about: the name of a batch says that no row is in it. */
const EMPTY = '-empty'
const isEmpty = ({ batch }: { batch: string }) => batch.endsWith(EMPTY)

async function ingest(storage: Scheduled, log: CommitLog, rows: number) {
  const base = await log.head()
  const number = (base.batches['bronze.a']?.at(-1)?.number ?? 0) + 1
  const batch = `${String(number).padStart(6, '0')}-${++made}${rows === 0 ? EMPTY : ''}`
  const manifest = `bronze/a/${batch}/manifest.json`
  const created = new Date(0).toISOString()
  const of = { format: 2, dataset: 'bronze.a', batch, number, created, columns: [], files: [] }
  await storage.write(manifest, encoder.encode(JSON.stringify(of)))
  const pointer = { dataset: 'bronze.a', number, batch, manifest, rows: 0, bytes: 0 }
  return log.commit(base, { batches: [pointer] }, info)
}

/** Reads the batches that are new, or all by another definition. */
async function build(storage: Scheduled, log: CommitLog, version: number) {
  const base = await log.head()
  const batches = base.batches['bronze.a'] ?? []
  const last = batches.at(-1)?.number ?? 0
  const before = base.tables['silver.a']
  const definition = {
    query: String(log.branch === 'main' && before ? before.definition.query : version),
  }
  const seen = Number(base.offsets['silver.a']?.['bronze.a'] ?? 0)
  const isSame = before !== undefined && before.definition.query === definition.query
  const from = isSame ? seen : 0
  const news = batches.filter(({ number }) => number > from)
  if (news.length === 0 && isSame) return
  const offsets = { 'silver.a': { 'bronze.a': last } }
  if (isSame && news.every(isEmpty)) return log.commit(base, { offsets }, info)
  const table = before
    ? await Table.load(storage, before)
    : Table.create(storage, 'silver/a').reshape({
        columns: [{ name: 'id', type: { kind: 'int' } }],
        partitions: [],
      })
  const added = []
  for (const { number } of news.filter((one) => !isEmpty(one))) {
    const path = `silver/a/data/${++made}-${number}.parquet`
    await storage.write(path, encoder.encode(path))
    added.push({
      path: storage.locate(path),
      rows: 1,
      bytes: path.length,
      partition: [],
      columns: new Map(),
    })
  }
  const written = await table.write({ removed: isSame ? new Set() : 'all', added })
  const state: TableState = { metadata: written.file as string, definition, ...written.totals }
  return log.commit(base, { tables: { 'silver.a': state }, offsets }, info)
}

/** What was committed to a branch that a promotion ended was published, or is said to be not. */
function expectTold({ published, worked }: Told): void {
  for (const { branch, last, keep } of published) {
    const numbers = worked.filter((one) => one.branch === branch).map(({ number }) => number)
    if (!keep) expect(Math.max(0, ...numbers)).toBeLessThanOrEqual(last)
  }
}

/** A table has the rows of all batches that it has read, whatever branch it came by. */
function expectWhole({ tables, offsets, batches }: LakeState, where: string): void {
  const seen = Number(offsets['silver.a']?.['bronze.a'] ?? 0)
  const read = (batches['bronze.a'] ?? []).filter(({ number }) => number <= seen)
  const rows = read.filter((one) => !isEmpty(one)).length
  expect([where, tables['silver.a']?.rows ?? 0]).toEqual([where, rows])
}

it('publishes what was reviewed; nothing is lost, and nothing of a living branch is vacuumed', async () => {
  const program = fc.array(
    fc.record({ deed, crash: fc.option(fc.nat(60), { nil: undefined, freq: 3 }) }),
    {
      minLength: 2,
      maxLength: 7,
    },
  )
  let promoted = 0
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.tuple(program, program, program), async (s, programs) => {
      const real = new MemoryStorage()
      const told: Told = { published: [], worked: [] }
      const first = new Scheduled(real, s)
      const begin = async () => {
        const actor = new Actor(first, told)
        await actor.do({ kind: 'ingest', rows: 1 }, undefined)
        await actor.do({ kind: 'run' }, undefined)
        await actor.do({ kind: 'create', name: 'dev' }, undefined)
        await Promise.all(
          programs.map(async (deeds) => {
            const own = new Actor(new Scheduled(real, s), told)
            for (const one of deeds) await own.do(one.deed, one.crash)
          }),
        )
      }
      await s.waitFor(begin())
      const log = new CommitLog(real)
      const head = await log.head()
      for await (const { commit } of log.entries())
        if (commit.number >= (head.horizon ?? 0))
          expectWhole(await log.stateAt(commit.number), `commit ${commit.number}`)
      for (const branch of Object.keys(head.branches ?? {}))
        expectWhole(await (await openNamed(log, branch)).head(), branch)
      expectTold(told)
      for (const { commit, tables } of told.published) {
        const made = await log.stateAt(commit)
        for (const [table, state] of Object.entries(tables))
          expect(made.tables[table]).toEqual(state)
        promoted++
      }
      expect((await verifyLake(real, log)).problems).toEqual([])
      // Whoever crashed is dead: here its process lives on.
      for (const { path } of await real.list('_moraine/live/')) await real.remove(path)
      await vacuum(log, real, { grace: 0, remove: true, info })
      expect((await verifyLake(real, new CommitLog(real))).problems).toEqual([])
    }),
    { numRuns: amount(150, 500, 2000) },
  )
  expect(promoted).toBeGreaterThan(amount(5, 20, 80))
})
