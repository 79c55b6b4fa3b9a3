import type { CatalogEntry } from '../../catalog/describe.js'
import { checkName } from '../../define/check.js'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { AnyDataset, Check, Sql } from '../../define/model.js'
import { datasetsIn, historiesIn, renderSql } from '../../define/sql/sql.js'
import type { ColumnSource } from '../../plan/lineage.js'
import type { Caller, VisibleTable } from '../../query/service/request.js'

/** What is known of a lake, of which each caller is shown what it may query. */
export interface Known {
  entries: readonly CatalogEntry[]
  tables: readonly VisibleTable[]
  lake: Pick<Lake, 'datasets'>
  caller: Caller
}

const nameOf = ({ schema, name }: VisibleTable) => `${schema}.${name}`

/** Whether there is a table of that name for a caller. */
type IsShown = (name: string) => boolean

function shownIn(tables: readonly VisibleTable[]): IsShown {
  const shown = new Set(tables.map((table) => nameOf(table).toLowerCase()))
  return (name) => shown.has(name.toLowerCase())
}

/** All tables that may be queried, each with a line. */
export function listed({ entries, tables, caller }: Known, search?: string) {
  const wanted = search?.toLowerCase()
  return tables
    .map((table) => {
      const entry = entries.find(({ name }) => name === nameOf(table))
      return {
        name: nameOf(table),
        kind: table.kind,
        description: table.comment ?? entry?.description ?? null,
        columns: table.columns.map(({ name }) => name),
        ...amounts(entry, caller),
      }
    })
    .filter((table) => wanted === undefined || JSON.stringify(table).toLowerCase().includes(wanted))
}

/** All that is known of a table; `undefined` where this caller may not query one of that name. */
export function described({ entries, tables, lake, caller }: Known, asked: string) {
  const table = tables.find((one) => nameOf(one).toLowerCase() === asked.toLowerCase())
  if (!table) return undefined
  const entry = entries.find(({ name }) => name === nameOf(table))
  const dataset = lake.datasets.find((one) => fullName(one) === nameOf(table))
  const masks = caller.rights.rules(levelsOf(table))?.masks ?? {}
  return {
    name: nameOf(table),
    kind: table.kind,
    description: table.comment ?? entry?.description ?? null,
    owner: entry?.owner ?? null,
    tags: entry?.tags ?? [],
    columns: table.columns.map(({ name, type, nullable, comment }) => ({
      ...{ name, type, nullable, description: comment ?? null },
      ...(Object.hasOwn(masks, name) ? { masked: true } : {}),
    })),
    key: entry?.key ?? [],
    partitions: entry?.partitions ?? [],
    ...amounts(entry, caller),
    ...(dataset ? quality(dataset, shownIn(tables)) : {}),
  }
}

/** Rows and when they last changed; a caller that sees some of the rows is not told how many. */
function amounts(entry: CatalogEntry | undefined, { rights }: Caller) {
  if (!entry) return {}
  const { rows, changed, name } = entry
  const isWhole = rights.rules(name.split('.')) === undefined
  return { ...(isWhole ? { rows } : {}), changed }
}

/**
 * What rows have to be to be kept, and what has to hold for the whole table. Tables that are not
 * shown are not named.
 */
function quality(dataset: AnyDataset, isShown: IsShown) {
  if (dataset.tier === 'bronze') return {}
  const checks = dataset.checks.map((check) => ({
    check: shownCheck(check, isShown),
    severity: check.severity,
  }))
  if (dataset.tier === 'gold') return { checks }
  const rules = dataset.rules.map(({ name, condition, severity }) => ({
    ...{ rule: name, severity },
    condition: isShownWhole(condition, isShown) ? renderSql(condition) : null,
  }))
  return { rules, checks }
}

const shownCheck = (check: Check, isShown: IsShown): string =>
  check.check !== 'references' || isShown(fullName(check.to))
    ? checkName(check)
    : `${check.columns[0]} references another table`

const isShownWhole = (sql: Sql, isShown: IsShown): boolean =>
  datasetsIn(sql).every((dataset) => isShown(fullName(dataset))) &&
  historiesIn(sql).every(({ name }) => isShown(`history.${name}`))

/** Where a table's columns come from, and what is computed from them; of tables that are shown. */
export function lineageOf({ entries, tables }: Known, asked: string) {
  const isShown = shownIn(tables)
  const entry = entries.find(({ name }) => name.toLowerCase() === asked.toLowerCase())
  if (!entry || !isShown(entry.name)) return undefined
  const sources = (all: readonly ColumnSource[]) =>
    all.filter(({ table }) => isShown(table)).map(({ table, column }) => `${table}.${column}`)
  return {
    name: entry.name,
    reads: entry.from.filter(isShown),
    readBy: entry.to.filter(isShown),
    columns: entry.columns.map(({ name, from, to }) => ({
      ...{ name, from: sources(from), to: sources(to) },
    })),
  }
}

const levelsOf = ({ schema, name }: VisibleTable) => [...schema.split('.'), name]
