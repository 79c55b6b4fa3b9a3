import type { FoundTable } from './found.js'

/** What has changed in a source since it was last crawled. */
export interface Drift {
  table: string
  change: 'new' | 'gone' | 'changed'
  /** Of a table that has changed: its columns, each in a line. */
  columns: string[]
}

/**
 * As Glue's crawlers have them: what becomes of the catalog when a table has changed, or is gone.
 */
export interface Policy {
  changed: 'update' | 'log'
  gone: 'deprecate' | 'log' | 'delete'
}

export function driftOf(before: readonly FoundTable[], now: readonly FoundTable[]): Drift[] {
  const known = new Map(before.map((table) => [table.at, table]))
  const there = new Set(now.map(({ at }) => at))
  const news = now.flatMap((table): Drift[] => {
    const old = known.get(table.at)
    if (!old) return [{ table: table.at, change: 'new', columns: [] }]
    const columns = columnsDrift(old, table)
    return columns.length > 0 ? [{ table: table.at, change: 'changed', columns }] : []
  })
  const gone = before
    .filter(({ at, deprecated }) => !there.has(at) && !deprecated)
    .map(({ at }): Drift => ({ table: at, change: 'gone', columns: [] }))
  return [...news, ...gone]
}

function columnsDrift(old: FoundTable, now: FoundTable): string[] {
  const typeOf = ({ native, schema, nullable }: FoundTable['columns'][number]) =>
    `${native ?? schema}${nullable ? '' : ' not null'}`
  const before = new Map(old.columns.map((column) => [column.name, typeOf(column)]))
  const after = new Map(now.columns.map((column) => [column.name, typeOf(column)]))
  return [
    ...[...after].flatMap(([name, type]) => {
      const was = before.get(name)
      if (was === undefined) return [`+ ${name}: ${type}`]
      return was === type ? [] : [`~ ${name}: ${was} → ${type}`]
    }),
    ...[...before].flatMap(([name, type]) => (after.has(name) ? [] : [`- ${name}: ${type}`])),
    ...(old.key.join() === now.key.join()
      ? []
      : [`~ key: ${old.key.join(', ') || 'none'} → ${now.key.join(', ') || 'none'}`]),
  ]
}

/** The tables that the catalog has from now on. */
export function applied(
  before: readonly FoundTable[],
  now: readonly FoundTable[],
  { changed, gone }: Policy,
): FoundTable[] {
  const known = new Map(before.map((table) => [table.at, table]))
  const there = new Set(now.map(({ at }) => at))
  const kept = now.map((table) => {
    const old = known.get(table.at)
    return old && changed === 'log' ? old : table
  })
  const left = before.filter(({ at }) => !there.has(at))
  if (gone === 'delete') return kept
  return [
    ...kept,
    ...left.map((table) =>
      gone === 'deprecate' ? { ...table, deprecated: true as const } : table,
    ),
  ]
}
