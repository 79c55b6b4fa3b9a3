import { z } from 'zod'
import { callSite } from './call-site.js'
import type {
  AnyInput,
  Bronze,
  BronzeColumns,
  BronzeOptions,
  ColumnRef,
  ColumnRefs,
  External,
  ExternalOptions,
  Gold,
  GoldOptions,
  GoldRow,
  Keep,
  Output,
  Rule,
  Severity,
  Shape,
  Silver,
  SilverColumns,
  SilverOptions,
  Sql,
  Stored,
  Tier,
} from './model.js'
import {
  bronzeOptions,
  externalOptions,
  goldOptions,
  ruleList,
  silverOptions,
} from './options/dataset-options.js'
import { silverDataset, sqlTag } from './options/expected.js'
import { checked, checkedArguments, needed } from './options/options.js'
import { toPartition } from './partition.js'
import { described } from './problems/described.js'
import { isBroken, markBroken, mistake } from './problems/mistakes.js'
import { noSource } from './source.js'
import { fullName } from './sql/name.js'
import { datasetsIn, historiesIn, noSql, sql } from './sql/sql.js'

export { fullName, schemaOf } from './sql/name.js'

/** Bronze: raw rows, unchanged; nothing is converted or lost. */
export function bronze<C extends string = string>(
  name: string,
  options: BronzeOptions<C>,
): Bronze<{ [K in C]: string | null } & BronzeColumns> {
  const good = checked<BronzeOptions<string>>(callOf('bronze', name), options, bronzeOptions)
  const { from = noSource, format = 'parquet', compression, archive = false, keep, ...about } = good
  return made(good, {
    kind: 'dataset',
    tier: 'bronze',
    name: String(name),
    about,
    place: callSite(),
    from,
    format,
    compression,
    archive: archive !== false,
    lock: archive instanceof Object ? archive.lock : undefined,
    keep,
    columns: columnRefs(),
  }) as unknown as Bronze<any>
}

/** How mistakes name a builder's call. */
function callOf(tier: Tier, name: unknown): string {
  if (typeof name === 'string') return `${tier}.${name}`
  mistake(
    `The first argument of ${tier}(…) must be a name, not ${described(name)}`,
    undefined,
    `Write ${tier}('orders', { … })`,
  )
  return `${tier}(…)`
}

/** A dataset of which no more can be said where its options are not what they must be. */
function made<D extends object>(options: object, dataset: D): D {
  return isBroken(options) ? markBroken(dataset) : dataset
}

/** Silver: rows that are typed, validated and deduplicated. */
export function silver<S extends Shape>(
  name: string,
  options: SilverOptions<S>,
): Silver<Stored<Output<S>> & SilverColumns> {
  const good = checked<SilverOptions<Shape>>(callOf('silver', name), options, silverOptions)
  const { from = [], select, schema, key, cursor, rules, severity, partitionBy, ...others } = good
  const {
    deleteWhen,
    onInvalidUpdate,
    identifies = [],
    checks,
    history = false,
    keep,
    compression,
    writes,
    engine,
    ...about
  } = others
  const columns = columnRefs()
  // Put together with a condition of its own, on whose last line a comment may stand.
  const gone = list(from).some(comparesKeys) ? sql`_change = 'delete'` : undefined
  return made(good, {
    kind: 'dataset',
    tier: 'silver',
    name: String(name),
    about,
    place: callSite(),
    from: list(from),
    select: byColumn(select as Record<string, string | Sql>),
    schema: (schema ?? z.object({})) as unknown as z.ZodObject,
    key: key === undefined ? [] : list(key),
    cursor,
    rules: rulesOf(name, rules, columns),
    severity: byColumn(severity as Record<string, Severity>),
    partitionBy: (partitionBy ?? []).map(toPartition),
    deleteWhen:
      gone && deleteWhen
        ? sql`${gone} or (${deleteWhen}
)`
        : (deleteWhen ?? gone),
    onInvalidUpdate: onInvalidUpdate ?? 'keep',
    identifies: list(identifies),
    checks: checks ?? [],
    history,
    keep: toKeep(keep),
    compression,
    writes,
    engine,
    columns,
  }) as unknown as Silver<any>
}

/** The rules; those that a function makes are looked at once it has made them. */
function rulesOf(
  name: unknown,
  rules: SilverOptions<Shape>['rules'],
  columns: ColumnRefs<string>,
): readonly Rule[] {
  if (typeof rules !== 'function') return rules ?? []
  return (
    checked<{ rules: readonly Rule[] }>(
      callOf('silver', name),
      { rules: rules(columns) },
      { rules: needed(ruleList) },
    ).rules ?? []
  )
}

/**
 * The history of a dataset with `history: true`, for other SQL: its columns, `valid_from` and
 * `valid_to` (NULL for current versions).
 *
 * @example sql`select status, count(*) from ${history(orders)} where valid_from <= ${time} and
 *   (valid_to is null or valid_to > ${time}) group by 1`
 */
export function history(dataset: Silver<any>): Sql {
  const place = callSite()
  const good = checkedArguments('history(…)', { dataset }, { dataset: silverDataset }).dataset
  if (!good) return noSql
  if (dataset.history) return { kind: 'sql', place, parts: [{ kind: 'history', dataset }] }
  mistake(`silver.${dataset.name} has no history`, undefined, 'Set history: true on it.')
  return { kind: 'sql', place, parts: [] }
}

/** Whether rows of an input say when keys are gone from its source. */
const comparesKeys = (input: AnyInput) =>
  (input as { from?: unknown } as { from?: { compareKeys?: boolean } }).from?.compareKeys

/** Gold: a query over other datasets, with its result stored. */
export function gold<S extends Shape = Shape>(
  name: string,
  options: GoldOptions<S>,
): Gold<GoldRow<S>> {
  const good = checked<GoldOptions<Shape>>(callOf('gold', name), options, goldOptions, (given) =>
    sqlTag.fits(given) ? 'Write gold(name, { query: sql`…` })' : undefined,
  )
  const { query = noSql, columns, partitionBy, incremental, checks, keep, ...others } = good
  const { compression, writes, view = false, engine, ...about } = others
  return made(good, {
    kind: 'dataset',
    tier: 'gold',
    name: String(name),
    about,
    place: callSite(),
    query,
    dialects: checkedDialects(String(name), query, good),
    declared: columns,
    partitionBy: (partitionBy ?? []).map(toPartition),
    incremental,
    checks: checks ?? [],
    keep: toKeep(keep),
    compression,
    writes,
    view,
    engine,
    columns: columnRefs(),
  }) as unknown as Gold<any>
}

/** Own SQL reads what the query reads: that decides when the dataset is built. */
function checkedDialects(
  name: string,
  query: Sql,
  { dialects, view }: GoldOptions<Shape>,
): GoldOptions<Shape>['dialects'] {
  const [inputs, histories] = [datasetsIn(query), historiesIn(query)]
  for (const { dialect, sql: own } of dialects ?? []) {
    if (view)
      mistake(
        `gold('${name}'): a view has no rows that ${dialect} could compute`,
        'dialects',
        'Leave dialects out, or view: true.',
      )
    const bronze = datasetsIn(own).find(({ tier }) => tier === 'bronze')
    if (bronze)
      mistake(
        `gold('${name}'): its SQL for ${dialect} reads ${fullName(bronze)}, which is not a table that other engines can read`,
        'dialects',
        'Read a silver dataset of it.',
      )
    const other =
      datasetsIn(own).find((one) => !inputs.includes(one)) ??
      historiesIn(own).find((one) => !histories.includes(one))
    if (other)
      mistake(
        `gold('${name}'): its SQL for ${dialect} reads ${inputs.includes(other) ? 'the history of ' : ''}${fullName(other)}, which its query does not read`,
        'dialects',
        'Read the same datasets in both: a dataset is built again when one that its query reads has changed.',
      )
  }
  return dialects
}

/**
 * A table that another engine keeps in the lake, as an input of silver and gold: its namespace and
 * its name, as the engine created it through the REST catalog. `moraine plan` sees its changes.
 *
 * @param name `ml.scores`; levels of nested namespaces are separated by dots, too.
 * @example
 * const scores = external('ml.scores', { columns: { id: t.bigint(), score: t.double() } })
 * const best = gold('best', { query: sql`select id from ${scores} where score > 0.9` })
 */
export function external<S extends Shape = Shape>(
  name: string,
  options: ExternalOptions<S> = {},
): External<GoldRow<S>> {
  const good = checked<ExternalOptions<Shape>>(externalCall(name), options, externalOptions)
  const { columns, ...about } = good
  const levels = String(name).split('.')
  const made = {
    kind: 'dataset',
    tier: 'external',
    namespace: levels.slice(0, -1),
    name: levels.at(-1) as string,
    about,
    declared: columns,
    place: callSite(),
    columns: columnRefs(),
  } as unknown as External<any>
  return typeof name !== 'string' || isBroken(good) ? markBroken(made) : made
}

/** How mistakes name the call. */
function externalCall(name: unknown): string {
  if (typeof name === 'string') return `external('${name}')`
  mistake(
    `The first argument of external(…) must be a name, not ${described(name)}`,
    undefined,
    "Write external('ml.scores', { … })",
  )
  return 'external(…)'
}

function toKeep(keep: string | Keep | undefined): Keep | undefined {
  return typeof keep === 'string' ? { for: keep } : keep
}

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}

/** A column may be called as what every object has: `constructor`. */
function byColumn<T>(given: Readonly<Record<string, T>> | undefined): Record<string, T> {
  return Object.assign(Object.create(null), given)
}

function columnRefs(): Record<string, ColumnRef> {
  const get = (_: object, name: string | symbol) =>
    typeof name === 'string' ? { kind: 'column', name } : undefined
  return new Proxy({}, { get }) as Record<string, ColumnRef>
}
