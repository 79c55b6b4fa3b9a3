import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ResultRow, Session } from '../../../src/engine/engine.js'
import { quarantinedOf } from '../../../src/log/quarantined.js'
import type { RunRecord } from '../../../src/step/events.js'
import { Relations } from '../../../src/step/relations.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount, sample } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * What each reader must hold, whatever it reads: rows come once, as they were given, with their
 * types; what can't be read is discarded or refused with a reason, and costs itself alone; a run
 * that stops anywhere leaves a lake from which the next one goes on; how far was read is never
 * ahead of the rows; nothing secret is written or said.
 */

/** A row that a source gives. */
export interface Row {
  id: number
  /** Two digits behind the point. */
  amount: string
  name: string
  day: string
  score: number | null
  /** A column that the first rows do not have. */
  more?: string
}

/** A source that a test fills. */
export interface Filled {
  /** The source in `lake.ts`, and what it is imported as. */
  from: string
  imports: string
  /** Adds rows with new ids. */
  put(project: Project, rows: readonly Row[]): Promise<void>
  /** Makes the source, or something in it, such as can't be read; gives what undoes that. */
  damage(project: Project): Promise<() => Promise<unknown>>
}

export interface Reader {
  name: string
  /** What it reads is new for each test; loose: an amount can be any text. */
  fill(isLoose?: boolean): Promise<Filled>
  /** Rows that were there before are given again in each run: they are superseded by themselves. */
  givesAll?: true
  /** Its columns are those that its definition names. */
  isFixed?: true
  /** What its rows can hold: any text; no line ends; only letters and digits. */
  holds: 'text' | 'line' | 'word'
  /** What becomes of what it can not read: a row says so, the quarantine, or the step. */
  unreadable: 'discarded' | 'set aside' | 'refused'
  /** A source that refuses, and tells all that it was sent; undefined: it has no secrets. */
  refusing?: () => Promise<Pick<Filled, 'from' | 'imports'>>
  /** A source that never answers, and when it was asked; undefined: what it reads is there. */
  hanging?: () => Promise<Pick<Filled, 'from' | 'imports'> & { asked: Promise<unknown> }>
}

/** No text of the lake, of its record or of its errors may hold it. */
export const SECRET = 'hunter2-s3cret'

const types = {
  id: 'INTEGER',
  amount: 'DECIMAL(12,2)',
  name: 'VARCHAR',
  day: 'DATE',
  score: 'INTEGER',
}

const lakeOf = ({ from, imports }: Pick<Filled, 'from' | 'imports'>) => ({
  'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ${imports} } from 'moraine/sources'
const raw = bronze('orders', { from: ${from} })
const orders = silver('orders', {
  from: raw,
  key: 'id',
  schema: z.object({
    id: t.int(),
    amount: t.decimal(12, 2),
    name: z.string(),
    day: t.date(),
    score: t.int().nullable(),
  }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`,
})

const letters = { word: 'aZ09', line: 'aZ09é漢😀 ,"\'<&>|\\;=%', text: 'a9é漢😀 ,"\'<&>|\\;=%\t\n' }

/** Lots of rows, which arrive one lot after the other. */
function lots(holds: Reader['holds'], counts: { min: number; max: number }) {
  const unit = fc.constantFrom(...letters[holds])
  const row = fc.record({
    amount: fc.integer({ min: -99_999, max: 9_999_999 }).map((cents) => (cents / 100).toFixed(2)),
    // What stands at both ends keeps blanks from being cut off.
    name: fc.string({ unit, maxLength: 8 }).map((text) => `n${text}n`),
    day: fc
      .date({ min: new Date('1900-01-01'), max: new Date('2199-12-31'), noInvalidDate: true })
      .map((day) => day.toISOString().slice(0, 10)),
    score: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  })
  const lot = fc.array(row, { minLength: 1, maxLength: 12 })
  return fc
    .array(lot, { minLength: counts.min, maxLength: counts.max })
    .map((all) => all.map((one, i) => one.map((row, j): Row => ({ id: 100 * i + j + 1, ...row }))))
}

/** A storage at which a run is stopped, or at which one call fails, when it has changed so much. */
class Interrupted extends LocalStorage {
  /** How often something was written, or was about to be. */
  calls = 0

  constructor(
    root: string,
    private readonly last = Infinity,
    private readonly interrupt = () => {},
  ) {
    super(root)
  }

  private count(): void {
    if (++this.calls === this.last) this.interrupt()
  }

  override async write(path: string, bytes: Uint8Array): Promise<void> {
    this.count()
    return super.write(path, bytes)
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    this.count()
    return super.createIfAbsent(path, bytes)
  }

  override async prepare(path: string): Promise<void> {
    this.count()
    return super.prepare(path)
  }
}

/** All texts of a lake's folder. */
async function textsOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  const texts = files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

const errorsOf = (record: RunRecord) =>
  [record.error, ...record.steps.map(({ error }) => error)].filter(Boolean)

const sorted = (rows: readonly Row[]) => rows.toSorted((a, b) => a.id - b.id)

/** What is in a lake, read in this process. */
class Contents {
  constructor(private readonly session: () => Session) {}

  async rows(project: Project): Promise<Row[]> {
    const state = await project.state()
    const sql = await new Relations(project.storage, state).tableRelation(
      this.session(),
      'silver.orders',
    )
    const shown = Object.keys(types).flatMap((name) => [`CAST(${name} AS VARCHAR) AS ${name}`])
    const given = Object.keys(types).map((name) => `typeof(${name}) AS ${name}`)
    const kinds = await this.session().rows(`SELECT DISTINCT ${given} FROM (${sql})`)
    for (const kind of kinds) expect(kind).toEqual(types)
    const rows = await this.session().rows(`SELECT ${shown} FROM (${sql})`)
    return sorted(
      rows.map(({ id, score, ...row }) => ({
        ...(row as unknown as Row),
        id: Number(id),
        score: score === null ? null : Number(score),
      })),
    )
  }

  async bronze(project: Project): Promise<ResultRow[]> {
    const state = await project.state()
    const pointers = state.batches['bronze.orders'] ?? []
    const { sql } = await new Relations(project.storage, state).bronzeRelation(
      this.session(),
      pointers,
      [],
    )
    return this.session().rows(`SELECT * FROM (${sql})`)
  }

  /** Ids of rows of bronze that could be read, each as often as it is there. */
  async ids(project: Project): Promise<number[]> {
    const good = (await this.bronze(project)).filter(({ _error }) => _error === null)
    return good.map(({ id }) => Number(id)).sort((a, b) => a - b)
  }
}

const sourceState = async (project: Project) => {
  const { batches, watermarks, tables } = await project.state()
  return { batches, watermarks, tables }
}

export function readerContract(reader: Reader, session: () => Session): void {
  const contents = new Contents(session)
  const good = async (project: Project) => {
    const record = await project.run()
    expect(errorsOf(record)).toEqual([])
    return record
  }

  it('gives each row once, as it was, and nothing where nothing is new', () =>
    fc.assert(
      fc.asyncProperty(lots(reader.holds, { min: 1, max: 3 }), async (all) => {
        const filled = await reader.fill()
        const project = await Project.create(lakeOf(filled))
        const there: Row[] = []
        for (const lot of all) {
          await filled.put(project, lot)
          there.push(...lot)
          const record = await good(project)
          const given = reader.givesAll ? there.length : lot.length
          expect(step(record, 'bronze.orders').rows).toBe(given)
          const { counts } = step(record, 'silver.orders')
          expect(counts).toMatchObject({ in: given, discarded: 0 })
          expect((counts?.kept ?? 0) + (counts?.superseded ?? 0)).toBe(given)
          expect(await contents.rows(project)).toEqual(sorted(there))
        }
        const before = await sourceState(project)
        expect(step(await good(project), 'bronze.orders').outcome).toBe('unchanged')
        expect(await sourceState(project)).toEqual(before)
        expect(await textsOf(join(project.folder, 'lake'))).not.toContain(SECRET)
      }),
      { numRuns: amount(1, 2, 10), seed, ...shown },
    ))

  it('discards a row whose values are none, with the reason, and has a column that is new', async () => {
    const filled = await reader.fill(true)
    const project = await Project.create(lakeOf(filled))
    const [row] = fc.sample(lots('word', { min: 1, max: 1 }), { numRuns: 1, seed }).flat(2) as [Row]
    await filled.put(project, [{ ...row, id: 1 }])
    await good(project)
    const extra = reader.isFixed ? {} : { more: 'gift' }
    await filled.put(project, [
      { ...row, id: 2, amount: 'much', ...extra },
      { ...row, id: 3, ...extra },
    ])
    const { counts } = step(await good(project), 'silver.orders')
    const given = reader.givesAll ? 3 : 2
    expect(counts).toMatchObject({ in: given, discarded: 1 })
    expect((await contents.rows(project)).map(({ id }) => id)).toEqual([1, 3])
    const [discarded] = await project.query('SELECT reasons[1] AS reason FROM discarded.orders')
    expect(discarded?.reason).toMatch(/amount/)
    if (reader.isFixed) return
    const found = (await contents.bronze(project)).filter(({ more }) => more !== null)
    expect(found.map(({ id, more }) => [Number(id), more]).sort()).toEqual([
      [2, 'gift'],
      [3, 'gift'],
    ])
  })

  it('says what it can not read, keeps what it has, and goes on once it can be read', async () => {
    const filled = await reader.fill()
    const project = await Project.create(lakeOf(filled))
    const [first = [], second = []] = fc
      .sample(lots('word', { min: 2, max: 2 }), { numRuns: 1, seed })
      .flat(1)
    await filled.put(project, first)
    await good(project)
    const before = await sourceState(project)
    const mend = await filled.damage(project)
    const bronze = step(await project.run(), 'bronze.orders')
    const broken = (await contents.bronze(project)).filter(({ _error }) => _error !== null)
    if (reader.unreadable === 'discarded') {
      expect(bronze.error).toBeUndefined()
      expect(broken).toHaveLength(1)
      expect(String(broken[0]?._error).length).toBeGreaterThan(5)
    } else if (reader.unreadable === 'set aside') {
      const aside = quarantinedOf(await project.state(), 'bronze.orders')
      expect(aside).toHaveLength(1)
      expect(aside[0]?.reason.length).toBeGreaterThan(5)
    } else {
      expect(bronze.error?.message.length).toBeGreaterThan(5)
      expect(broken).toEqual([])
      const { watermarks } = await project.state()
      expect(watermarks).toEqual(before.watermarks)
    }
    expect(await contents.rows(project)).toEqual(sorted(first))
    await mend()
    await filled.put(project, second)
    await good(project)
    expect(await contents.rows(project)).toEqual(sorted([...first, ...second]))
  })

  it('that is stopped, or fails, anywhere goes on from there: no row is lost, none comes twice', () =>
    fc.assert(
      fc.asyncProperty(
        lots(reader.holds, { min: 2, max: 2 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.boolean(),
        async ([first = [], second = []], share, isStop) => {
          const filled = await reader.fill()
          const project = await Project.create(lakeOf(filled))
          const root = join(project.folder, 'lake')
          await filled.put(project, first)
          const before = new Interrupted(root)
          expect(errorsOf(await project.runOn(before))).toEqual([])
          await filled.put(project, second)
          const stop = new AbortController()
          const at = 1 + Math.floor(share * before.calls)
          const storage = new Interrupted(root, at, () => {
            if (isStop) stop.abort(new Error('stopped by the test'))
            else throw new Error('the disk failed')
          })
          await project.runOn(storage, { signal: stop.signal }).catch((error: Error) => error)
          const all = sorted([...first, ...second])
          // Rows and how far was read are in one commit: else the next run would lose some.
          const there = new Set(await contents.ids(project))
          expect(first.every(({ id }) => there.has(id))).toBe(true)
          await good(project)
          if (!reader.givesAll) expect(await contents.ids(project)).toEqual(all.map(({ id }) => id))
          expect(await contents.rows(project)).toEqual(all)
        },
      ),
      { numRuns: amount(2, 3, 12), seed, ...shown },
    ))

  it('does nothing for a run that is stopped before it begins', async () => {
    const filled = await reader.fill()
    const project = await Project.create(lakeOf(filled))
    await filled.put(project, [{ id: 1, amount: '1.00', name: 'n', day: '2026-01-05', score: 1 }])
    const { number } = await project.state()
    await project.run({ signal: AbortSignal.abort() }).catch(() => {})
    expect((await project.state()).number).toBe(number)
    await good(project)
    expect(await contents.ids(project)).toEqual([1])
  })

  const { refusing, hanging } = reader
  if (hanging)
    it('ends when it is told to, though its source never answers', async () => {
      const { asked, ...source } = await hanging()
      const project = await Project.create(lakeOf(source))
      const stop = new AbortController()
      const run = project.run({ signal: stop.signal }).catch(() => {})
      await asked
      stop.abort(new Error('stopped by the test'))
      await run
      expect((await project.state()).watermarks).toEqual({})
    })

  if (refusing)
    it('names no secret when its source refuses it', async () => {
      const project = await Project.create(lakeOf(await refusing()))
      const record = await project.run()
      expect(step(record, 'bronze.orders').error?.message.length).toBeGreaterThan(5)
      for (const text of [JSON.stringify(record), await textsOf(join(project.folder, 'lake'))])
        expect(text).not.toContain(SECRET)
    })
}

/** What failed is shown as it was found: to find less takes many runs. */
const shown = { endOnFailure: true, errorWithCause: true }

/** The suite for each of these readers; `npm test` draws some, CI has all. */
export function readersHold(readers: readonly Reader[]): void {
  const session = engineSession()
  for (const reader of sample(readers, 6))
    describe(reader.name, () => readerContract(reader, session))
}
