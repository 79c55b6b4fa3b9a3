import type { z } from 'zod'
import type { Lake } from '../define/lake.js'
import { type QueryLimits, queryLimits } from '../define/limits.js'
import type { AnyInput, Row, Sql } from '../define/model.js'
import { datasets, isDataset, number, sqlTag, text, texts } from '../define/options/expected.js'
import {
  checked,
  checkedArguments,
  type Expected,
  type OptionList,
} from '../define/options/options.js'
import { described } from '../define/problems/described.js'
import { takeMistakes } from '../define/problems/mistakes.js'
import { defOf, fieldsOfShape } from '../define/types/schema.js'
import type { ParameterValues, ResultRow, RowValue } from '../engine/engine.js'
import { DefinitionError, MoraineError } from '../errors.js'
import { Lakehouse } from '../load/lakehouse.js'
import { folderOf, rootOf } from '../load/root.js'
import type { LakeState } from '../log/commit.js'
import { parsePoint } from '../log/point.js'
import { readStatement, textOf } from '../sql/read-statement.js'
import { asList, limitsOf } from './limits.js'
import { stateToRead } from './point.js'
import { type QueryOptions, queryLake, queryRows } from './query.js'

/** A point in the lake's history: a commit number or a time. */
export type At = number | Date | string

/** Options of a query: its limits, and what stops it. */
export interface AskOptions extends QueryLimits {
  /** Stops the query; pending reads reject with the signal's reason. */
  signal?: AbortSignal
}

export interface ReadOptions<C extends string> extends AskOptions {
  /** A condition on the rows: sql`amount > 10`. */
  where?: Sql
  /** The columns to read. Default: all. */
  columns?: readonly C[]
  orderBy?: Sql
  limit?: number
  /** The lake as it was at a commit or a time. */
  at?: At
}

/** Typed reads for programs. */
export interface OpenLake {
  /** All rows, or those that the options choose. */
  read<D extends AnyInput, C extends keyof Row<D> & string = keyof Row<D> & string>(
    dataset: D,
    options?: ReadOptions<C>,
  ): Promise<Pick<Row<D>, C>[]>
  /** The same, in batches: for results larger than memory. */
  stream<D extends AnyInput, C extends keyof Row<D> & string = keyof Row<D> & string>(
    dataset: D,
    options?: ReadOptions<C>,
  ): AsyncIterable<Pick<Row<D>, C>[]>
  /**
   * One SELECT over `bronze.x`, `silver.x`, `gold.x` and `discarded.x`, and tables of other
   * engines. Values of `?` and `$1` are a list of parameters, those of `:name` an object.
   */
  query(sql: string | Sql, options?: QueryAskOptions): Promise<ResultRow[]>
  /** The state of the lake from the commit log, now or at a point in time. */
  state(at?: At): Promise<LakeState>
}

/** Options for opening a lake: its location, and the limits of its queries. */
export interface OpenOptions extends QueryLimits {
  /** The folder or bucket of the lake; overrides its definition and MORAINE_ROOT. */
  root?: string
}

const openOptions: OptionList<OpenOptions> = { root: text, ...queryLimits }

const parameterValues: Expected = {
  is: 'a list of values, or an object of them',
  fits: (value) => typeof value === 'object' && value !== null,
}

const askOptions: OptionList<AskOptions & { at?: At }> = {
  ...queryLimits,
  signal: { is: 'an AbortSignal', fits: (value) => value instanceof AbortSignal },
  at: {
    is: 'a commit number or a time',
    fits: (value) =>
      typeof value === 'number' || typeof value === 'string' || value instanceof Date,
  },
}

type QueryAskOptions = AskOptions & { at?: At; parameters?: ParameterValues }

const queryAskOptions: OptionList<QueryAskOptions> = { ...askOptions, parameters: parameterValues }

const readOptions: OptionList<ReadOptions<string>> = {
  ...askOptions,
  where: sqlTag,
  columns: texts,
  orderBy: sqlTag,
  limit: number,
}

const aDataset: Expected = { ...datasets, is: 'a dataset', fits: isDataset }

/**
 * Does what checks options, and throws what is wrong with them at once: a program has nobody else
 * to tell.
 */
function sound<T>(check: () => T): T {
  const found = check()
  const mistakes = takeMistakes()
  if (mistakes.length > 0) throw new DefinitionError(mistakes, 'The call')
  return found
}

/**
 * The lake; a CommonJS module gives it as the default of its default where an ES module imports it.
 */
function lakeIn(given: Lake | { default?: Lake }): Lake {
  const found = given instanceof Object && 'default' in given ? given.default : given
  if ((found as Lake | undefined)?.kind === 'lake') return found as Lake
  throw new MoraineError('usage', `openLake needs a lake, not ${described(given)}`, {
    hint: "Pass the default export of lake.ts: import shop from './lake.js'",
  })
}

/**
 * Opens a lake for reading. Every read sees one commit of the lake, never parts of two.
 *
 * @example
 * const lake = await openLake(shop)
 * const paid = await lake.read(orders, { where: sql`status = ${'paid'}` })
 */
export function openLake(given: Lake, options: OpenOptions = {}): OpenLake {
  const lake = lakeIn(given)
  const { root, ...usual } = sound(() => checked('openLake(…)', options, openOptions))
  const folder = folderOf(lake)
  const { storage, log } = Lakehouse.at(root ?? rootOf(lake, folder), { folder })
  const state = (at?: At) => (at === undefined ? log.head() : stateToRead(log, toPoint(at)))

  const asked = ({ signal, ...own }: AskOptions) => ({
    log,
    limits: limitsOf(own, usual, lake.queries),
    ...(signal ? { signal } : {}),
  })

  async function* batches(dataset: AnyInput, read: ReadOptions<string>, options: QueryOptions) {
    const { sql, expressions, inOwnText } = readStatement(dataset, read)
    const shape = dataset.tier === 'external' ? dataset.declared : undefined
    const how = { ...options, expressions, ...(shape ? { declared: fieldsOfShape(shape) } : {}) }
    const begun = queryLake(storage, await state(read.at), sql, how)
    await using result = await begun.catch((error) => {
      throw inOwnText(error)
    })
    const convert = converterOf(dataset)
    for await (const batch of result.batches) yield batch.map(convert)
  }

  const reading = (dataset: AnyInput, options: ReadOptions<string> = {}) =>
    sound(() => {
      checkedArguments('read(…)', { dataset }, { dataset: aDataset })
      return checked('read(…)', options, readOptions)
    })

  async function* stream(dataset: AnyInput, options?: ReadOptions<string>) {
    const read = reading(dataset, options)
    yield* batches(dataset, read, asked(read))
  }
  return {
    state,
    stream: stream as OpenLake['stream'],
    read: (async (dataset: AnyInput, options?: ReadOptions<string>) => {
      const read = reading(dataset, options)
      const { limits, ...rest } = asked(read)
      const rows: ResultRow[] = []
      const all = { limits: asList(limits), ...rest }
      for await (const batch of batches(dataset, read, all)) rows.push(...batch)
      return rows
    }) as OpenLake['read'],
    query: async (sql, options = {}) => {
      const { at, parameters, ...rest } = sound(() =>
        checked<QueryAskOptions>('query(…)', options, queryAskOptions),
      )
      const written = textOf(sql)
      const values = parameters ? { parameters } : {}
      return queryRows(storage, await state(at), written, { ...asked(rest), ...values })
    },
  }
}

/** @throws MoraineError of kind `usage` for what is neither. */
function toPoint(at: At): number | Date {
  if (typeof at !== 'string') return at
  const point = parsePoint(at)
  if (point !== undefined) return point
  throw new MoraineError('usage', `at: '${at}' is neither a commit nor a time`, {
    hint: "Give a commit number or a time such as '2026-01-31T12:00:00Z'.",
  })
}

/** SQL's BIGINT comes as bigint; where the schema says `number` (z.int()), rows hold numbers. */
function converterOf(dataset: AnyInput): (row: ResultRow) => ResultRow {
  const shape: Record<string, z.ZodType> =
    dataset.tier === 'silver'
      ? (dataset.schema.shape as Record<string, z.ZodType>)
      : dataset.tier === 'bronze'
        ? {}
        : { ...dataset.declared }
  const entries = Object.entries(shape)
  return (row) => {
    const converted = { ...row }
    for (const [name, schema] of entries)
      if (Object.hasOwn(row, name)) converted[name] = convert(row[name] as RowValue, schema)
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
        Object.hasOwn(def.shape, name) ? convert(v, def.shape[name]) : v,
      ]),
    )
  const isNumber =
    def.type === 'number' || (def.type === 'literal' && typeof def.values[0] === 'number')
  return isNumber && typeof value === 'bigint' ? Number(value) : value
}
