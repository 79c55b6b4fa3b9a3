import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../src/engine/engine.js'
import type { LakeState } from '../../src/log/commit.js'
import { Relations } from '../../src/step/relations.js'
import { type Storage, stagingOf } from '../../src/storage/storage.js'
import type { Tables } from './model.js'

/** Each row of a table as one text, as the model writes it. */
const shapes: Record<string, string> = {
  'silver.items': 'tag, id, version, day, amount, code',
  'history.items': 'tag, version, valid_from, valid_to',
  'deleted.items': 'id, version',
  'silver.readings': 'tag, id, version, at, amount',
  'gold.days': 'day, n, amount',
  'gold.dear': 'tag',
  'gold.totals': 'items, versions, history, readings, reading_versions',
}
const texts = (columns: string) =>
  columns
    .split(', ')
    .map((column) => `coalesce(CAST("${column}" AS VARCHAR), '')`)
    .join(" || ' ' || ")

const bronze = ['dropped', 'sent', 'listed', 'asked'] as const

/** Reads the lake's tables in this process, at any commit. */
export class Reader {
  private constructor(
    private readonly engine: DuckDB,
    private readonly session: Session,
    private readonly storage: Storage,
  ) {}

  static async open(storage: Storage): Promise<Reader> {
    const engine = await DuckDB.start({ threads: 1, staging: stagingOf(storage) })
    return new Reader(engine, await engine.open(), storage)
  }

  async close(): Promise<void> {
    this.session.close()
    await this.engine.close()
  }

  private async texts(sql: string): Promise<string[]> {
    return (await this.session.rows(sql)).map(({ r }) => String(r))
  }

  /** All rows of all tables; those that are not built yet have none. */
  async tables(state: LakeState): Promise<Tables> {
    const relations = new Relations(this.storage, state)
    const found: Tables = {}
    for (const name of Object.keys(state.tables)) {
      const [tier = '', table = ''] = name.split('.')
      const sql = await relations.tableRelation(this.session, name)
      await this.session.define(tier, table, sql)
      const shape = shapes[name]
      if (shape) found[name] = await this.texts(`SELECT ${texts(shape)} AS r FROM ${name}`)
      else if (tier === 'discarded')
        found[name] = await this.texts(`SELECT regexp_extract(raw, 't[0-9]+t') AS r FROM ${name}`)
    }
    for (const [name, { sql }] of Object.entries(state.views ?? {}))
      if (shapes[name])
        found[name] = await this.texts(`SELECT ${texts(shapes[name])} AS r FROM (${sql})`)
    for (const name of ['items', 'readings']) {
      const counts = state.tables[`silver.${name}`]?.counts
      if (counts) found[`counts.${name}`] = [`${counts.in} ${counts.kept} ${counts.discarded}`]
    }
    return found
  }

  /**
   * The tables of a state; silver as it was when a gold table read it, where another run was
   * quicker to change it.
   */
  async asReadBy(gold: string, state: LakeState, now: Tables): Promise<Tables> {
    const found = { ...now }
    for (const [input, metadata] of Object.entries(state.offsets[gold] ?? {})) {
      const current = state.tables[input]
      const shape = shapes[input]
      if (!current || !shape || typeof metadata !== 'string' || current.metadata === metadata)
        continue
      if (!(await this.storage.stat(metadata))) return {}
      const { sha256: _, ...others } = current
      const then = { ...state, tables: { [input]: { ...others, metadata } } }
      const sql = await new Relations(this.storage, then).tableRelation(this.session, input)
      found[input] = await this.texts(`SELECT ${texts(shape)} AS r FROM (${sql})`)
    }
    return found
  }

  /** The tags of bronze's rows by the batches that they are in. */
  async batches(state: LakeState): Promise<Record<string, Map<string, string[]>>> {
    const relations = new Relations(this.storage, state)
    const found: Record<string, Map<string, string[]>> = {}
    for (const name of bronze) {
      const pointers = state.batches[`bronze.${name}`] ?? []
      const { sql } = await relations.bronzeRelation(this.session, pointers, ['tag'])
      const rows = await this.session.rows(
        // Files may come under several names with the same rows.
        `SELECT coalesce(tag, regexp_extract(_raw, 't[0-9]+t'))${name === 'dropped' ? " || ' ' || regexp_extract(_source_file, '[^/]+$')" : ''} AS r, _batch AS b FROM (${sql})`,
      )
      const of = new Map<string, string[]>()
      for (const { r, b } of rows) of.set(String(b), [...(of.get(String(b)) ?? []), String(r)])
      found[`bronze.${name}`] = of
    }
    return found
  }
}

/**
 * What differs between what is there and what should be, as people read it; nothing when all is
 * well.
 */
export function differences(
  found: Tables,
  expected: Tables,
): { table: string; lost: string[]; extra: string[] }[] {
  const names = [...new Set([...Object.keys(found), ...Object.keys(expected)])].sort()
  return names.flatMap((table) => {
    const left = new Map<string, number>()
    for (const row of expected[table] ?? []) left.set(row, (left.get(row) ?? 0) + 1)
    const extra: string[] = []
    for (const row of found[table] ?? []) {
      const n = left.get(row) ?? 0
      if (n === 0) extra.push(row)
      else left.set(row, n - 1)
    }
    const lost = [...left].flatMap(([row, n]) => Array<string>(n).fill(row))
    return lost.length + extra.length > 0 ? [{ table, lost, extra }] : []
  })
}

const column = (rows: readonly string[] = [], at: number) =>
  rows.map((row) => row.split(' ')[at] ?? '')
const sum = (texts: readonly string[]) => texts.reduce((all, text) => all + BigInt(text || 0), 0n)

/**
 * What does not hold within one commit, whatever it is about: keys come once, and gold is what
 * silver says.
 */
export function contradictions(tables: Tables, of: 'silver' | 'gold.days' | 'gold.totals') {
  const found: string[] = []
  const hold = (what: string, a: unknown, b: unknown) => {
    if (String(a) !== String(b)) found.push(`${what}: ${a} and ${b}`)
  }
  const items = tables['silver.items'] ?? []
  const readings = tables['silver.readings'] ?? []
  const { 'history.items': history = [], 'gold.days': days, 'gold.totals': totals } = tables
  if (of === 'silver') {
    for (const name of ['silver.items', 'silver.readings']) {
      const ids = column(tables[name], 1)
      hold(`keys of ${name} come once`, new Set(ids).size, ids.length)
    }
    const open = column(history, 3).filter((until) => until === '')
    hold('versions that hold now and rows of silver.items', open.length, items.length)
  } else if (of === 'gold.days' && days) {
    hold('rows of silver.items and gold.days', items.length, sum(column(days, 1)))
    hold('amounts of silver.items and gold.days', sum(column(items, 4)), sum(column(days, 2)))
  } else if (of === 'gold.totals' && totals) {
    const [n, versions, past, m, others] = totals[0]?.split(' ') ?? []
    hold('rows of silver.items and gold.totals', items.length, n)
    hold('versions of silver.items and gold.totals', sum(column(items, 2)), BigInt(versions || 0))
    hold('rows of history.items and gold.totals', history.length, past)
    hold('rows of silver.readings and gold.totals', readings.length, m)
    hold('versions of readings and gold.totals', sum(column(readings, 2)), BigInt(others || 0))
  }
  return found
}
