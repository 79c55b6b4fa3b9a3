/*
 * Names from outside become names of columns here. What is one name to the engine may be several to
 * whoever wrote the data: names that differ in case alone, equal ones, `_id` beside `x_id`. Each
 * gets a name of its own, by what names there are and not by their order.
 */

/**
 * A name from outside, and which it is of those in its row that are spelt just the same, from 0.
 */
export type Key = readonly [name: string, nth: number]

/** Names that begin with `_` are those of columns that Moraine adds. */
export function columnName(name: string): string {
  return name === '' || name.startsWith('_') ? `x${name}` : name
}

/** What names have in common that would be one column. */
export const classOf = (name: string): string => columnName(name).toLowerCase()

const sameKey = (a: Key, b: Key): boolean => a[0] === b[0] && a[1] === b[1]

/**
 * Which of several names keeps the column's own: one that needs no `x`, the one with the fewest
 * capitals.
 */
export function compareKeys([a, m]: Key, [b, n]: Key): number {
  const weight = (name: string) => [...name].filter((c) => c !== c.toLowerCase()).length
  const changed = (name: string) => (columnName(name) === name ? 0 : 1)
  return m - n || changed(a) - changed(b) || weight(a) - weight(b) || (a < b ? -1 : a > b ? 1 : 0)
}

/** Names by what they have in common, each group with the one first that keeps its name. */
export function byClass(keys: Iterable<Key>): Map<string, Key[]> {
  const groups = new Map<string, Key[]>()
  for (const key of keys) {
    const name = classOf(key[0])
    const group = groups.get(name)
    if (!group) groups.set(name, [key])
    else if (!group.some((other) => sameKey(other, key))) group.push(key)
  }
  for (const group of groups.values()) if (group.length > 1) group.sort(compareKeys)
  return groups
}

/**
 * A column's name for each key, of which no two are one to the engine.
 *
 * @param reserved names in lower case that none of them may have beside.
 */
export function namesOf(keys: Iterable<Key>, reserved: Iterable<string> = []): [string, Key][] {
  const groups = byClass(keys)
  const used = new Set([...reserved, ...groups.keys()])
  return [...groups].flatMap(([, group]) =>
    group.map((key, i): [string, Key] => {
      const own = columnName(key[0])
      if (i === 0) return [own, key]
      let n = i
      while (used.has(`${own}_${n}`.toLowerCase())) n++
      used.add(`${own}_${n}`.toLowerCase())
      return [`${own}_${n}`, key]
    }),
  )
}

/**
 * What a file's columns are called outside, where they are called otherwise, and which of them are
 * in rows together.
 */
export interface NamesOutside {
  /** By column. */
  names?: Readonly<Record<string, Key>>
  /** Columns, in lower case, for which a row has several names. */
  apart?: readonly string[]
}

/** Those facts of columns and their keys. */
export function namesOutside(
  columns: Iterable<readonly [column: string, key: Key]>,
  apart: Iterable<string>,
): NamesOutside {
  const all = [...columns]
  const groups = byClass(all.map(([, key]) => key))
  const other = all.filter(([column, key]) => {
    return column !== key[0] || key[1] > 0 || (groups.get(classOf(key[0]))?.length ?? 0) > 1
  })
  const found = [...apart]
  return {
    ...(other.length > 0 ? { names: Object.fromEntries(other) } : {}),
    ...(found.length > 0 ? { apart: found.sort() } : {}),
  }
}

/** The columns of a table, in order, each with a name of its own. */
export function distinctNames(keys: readonly Key[]): string[] {
  const named = new Map(namesOf(keys).map(([name, key]) => [key, name]))
  return keys.map((key) => named.get(key) as string)
}

/** What the columns of a table are called outside: each of its rows has all of them. */
export function outsideOfTable(columns: readonly string[], keys: readonly Key[]): NamesOutside {
  const together = [...byClass(keys)].filter(([, group]) => group.length > 1)
  return namesOutside(
    columns.map((column, i) => [column, keys[i] as Key] as const),
    together.map(([name]) => name),
  )
}

/** The names of a table, of which equal ones are told apart by their order. */
export function keysInOrder(names: readonly string[]): Key[] {
  const seen = new Map<string, number>()
  return names.map((name): Key => {
    const nth = seen.get(name) ?? 0
    seen.set(name, nth + 1)
    return [name, nth]
  })
}
