import type { z } from 'zod'
import type { AnyDataset, Row } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import { defOf } from '../define/schema.js'
import { quoteName, reference, renderSql, type Sql } from '../define/sql.js'
import type { ResultRow, RowValue } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { folderOf, openStorage, rootOf } from '../load/root.js'
import type { LakeState } from '../log/commit.js'
import { CommitLog } from '../log/log.js'
import { parsePoint } from '../log/point.js'
import { stateToRead } from './point.js'
import { queryLake, queryRows } from './query.js'

/** A point in the lake's history: a commit's number, or a time. */
export type At = number | Date | string

export interface ReadOptions<C extends string> {
  /** A condition on the rows: sql`amount > 10`. */
  where?: Sql
  /** The columns to read; all without it. */
  columns?: readonly C[]
  orderBy?: Sql
  limit?: number
  /** The lake as it was at a commit or a time. */
  at?: At
}

/** Typed reads for programs. */
export interface OpenLake {
  /** All rows, or those that the options choose. */
  read<D extends AnyDataset, C extends keyof Row<D> & string = keyof Row<D> & string>(
    dataset: D,
    options?: ReadOptions<C>,
  ): Promise<Pick<Row<D>, C>[]>
  /** The same, in batches: for results larger than memory. */
  stream<D extends AnyDataset, C extends keyof Row<D> & string = keyof Row<D> & string>(
    dataset: D,
    options?: ReadOptions<C>,
  ): AsyncIterable<Pick<Row<D>, C>[]>
  /** One SELECT over `bronze.x`, `silver.x`, `gold.x` and `discarded.x`. */
  query(sql: string | Sql, options?: { at?: At }): Promise<ResultRow[]>
  /** What the commit log says now, or said then. */
  state(at?: At): Promise<LakeState>
}

/**
 * Opens a lake for reading. Every read sees one commit of the lake, never parts of two.
 *
 * @example
 * const lake = await openLake(shop)
 * const paid = await lake.read(orders, { where: sql`status = ${'paid'}` })
 */
export function openLake(lake: Lake, options: { root?: string } = {}): OpenLake {
  const folder = folderOf(lake)
  const storage = openStorage(options.root ?? rootOf(lake, folder), folder)
  const log = new CommitLog(storage)
  const state = (at?: At) => (at === undefined ? log.head() : stateToRead(log, toPoint(at)))

  async function* stream(dataset: AnyDataset, read: ReadOptions<string> = {}) {
    await using result = await queryLake(storage, await state(read.at), readSql(dataset, read))
    const convert = converterOf(dataset)
    for await (const batch of result.batches) yield batch.map(convert)
  }
  return {
    state,
    stream: stream as OpenLake['stream'],
    read: (async (dataset: AnyDataset, read?: ReadOptions<string>) => {
      const rows: ResultRow[] = []
      for await (const batch of stream(dataset, read)) rows.push(...batch)
      return rows
    }) as OpenLake['read'],
    query: async (sql, { at } = {}) =>
      queryRows(storage, await state(at), typeof sql === 'string' ? sql : renderSql(sql)),
  }
}

/** @throws MoraineError of kind `usage` for what is neither. */
function toPoint(at: At): number | Date {
  if (typeof at !== 'string') return at
  const point = parsePoint(at)
  if (point !== undefined) return point
  throw new MoraineError('usage', `at: '${at}' is neither a commit nor a time`, {
    hint: "Give a commit's number or a time such as '2026-01-31T12:00:00Z'.",
  })
}

function readSql(dataset: AnyDataset, { where, columns, orderBy, limit }: ReadOptions<string>) {
  return [
    `SELECT ${columns ? columns.map(quoteName).join(', ') : '*'} FROM ${reference(dataset)}`,
    ...(where ? [`WHERE ${renderSql(where)}`] : []),
    ...(orderBy ? [`ORDER BY ${renderSql(orderBy)}`] : []),
    ...(limit === undefined ? [] : [`LIMIT ${Math.floor(limit)}`]),
  ].join('\n')
}

/** SQL's BIGINT comes as bigint; where the schema says `number` (z.int()), rows hold numbers. */
function converterOf(dataset: AnyDataset): (row: ResultRow) => ResultRow {
  const shape: Record<string, z.ZodType> =
    dataset.tier === 'silver'
      ? (dataset.schema.shape as Record<string, z.ZodType>)
      : dataset.tier === 'gold'
        ? { ...dataset.declared }
        : {}
  const entries = Object.entries(shape)
  return (row) => {
    const converted = { ...row }
    for (const [name, schema] of entries)
      if (name in row) converted[name] = convert(row[name] as RowValue, schema)
    return converted
  }
}

function convert(value: RowValue, schema: z.ZodType): RowValue {
  const def = defOf(schema)
  if (value === null) return null
  if (def.innerType) return convert(value, def.innerType)
  if (def.type === 'pipe') return convert(value, def.out)
  if (def.type === 'array') return (value as RowValue[]).map((item) => convert(item, def.element))
  if (def.type === 'object' && !Array.isArray(value))
    return Object.fromEntries(
      Object.entries(value as Record<string, RowValue>).map(([name, v]) => [
        name,
        def.shape[name] ? convert(v, def.shape[name]) : v,
      ]),
    )
  const isNumber =
    def.type === 'number' || (def.type === 'literal' && typeof def.values[0] === 'number')
  return isNumber && typeof value === 'bigint' ? Number(value) : value
}
