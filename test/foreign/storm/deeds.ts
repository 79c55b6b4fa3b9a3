/*
 * What writers do, as data: engines carry it out, and a model says what must be there afterwards.
 * A row belongs to the writer that appended it, and nobody else touches it.
 */

export interface Row {
  writer: string
  seq: number
  value: number
}

/** What one writer does with one request, or one statement. */
export type Action =
  | { do: 'append'; table: string; rows: readonly Row[] }
  /** Rows of one writer get another value, or go. */
  | { do: 'update'; table: string; rows: readonly Row[] }
  | { do: 'delete'; table: string; rows: readonly Row[] }
  /** A table that has these rows from the beginning. */
  | { do: 'create'; table: string; rows: readonly Row[] }
  /** All rows of a table are replaced. */
  | { do: 'replace'; table: string; rows: readonly Row[] }
  | { do: 'rename'; table: string; to: string }
  | { do: 'drop'; table: string }
  /** Rows of several tables, all of them or none. */
  | { do: 'together'; parts: readonly { table: string; rows: readonly Row[] }[] }
  /** The same rows in fewer files. */
  | { do: 'compact'; table: string }

/**
 * How it ended for who did it: it was said to be done, it was refused, or no answer came, and it is
 * done or not.
 */
export type Ending = 'done' | 'refused' | 'unknown'

export interface Deed {
  writer: string
  action: Action
  ending: Ending
  /** Milliseconds that it took. */
  took: number
  error?: string
}

/** What is where: tables, and the values of rows in them. */
export type World = Map<string, number>

const THERE = 1
const tableKey = (table: string) => table
const rowKey = (table: string, { writer, seq }: Omit<Row, 'value'>) => `${table} ${writer}:${seq}`

/** What the world becomes by an action. */
export function after(world: World, action: Action): World {
  const next = new Map(world)
  apply(next, action)
  return next
}

function apply(next: World, action: Action): void {
  const set = (table: string, rows: readonly Row[]) => {
    for (const row of rows) next.set(rowKey(table, row), row.value)
  }
  const clear = (table: string) => {
    for (const key of [...next.keys()]) if (key.startsWith(`${table} `)) next.delete(key)
  }
  switch (action.do) {
    case 'append':
    case 'update':
      set(action.table, action.rows)
      break
    case 'delete':
      for (const row of action.rows) next.delete(rowKey(action.table, row))
      break
    case 'create':
      next.set(tableKey(action.table), THERE)
      set(action.table, action.rows)
      break
    case 'replace':
      clear(action.table)
      set(action.table, action.rows)
      break
    case 'rename':
      next.set(tableKey(action.to), THERE)
      for (const [key, value] of [...next])
        if (key.startsWith(`${action.table} `))
          next.set(action.to + key.slice(action.table.length), value)
      clear(action.table)
      next.delete(tableKey(action.table))
      break
    case 'drop':
      clear(action.table)
      next.delete(tableKey(action.table))
      break
    case 'together':
      for (const { table, rows } of action.parts) set(table, rows)
      break
    case 'compact':
      break
  }
}

/** What may have been done, and what that changes. */
interface Open {
  deed: Deed
  keys: ReadonlyMap<string, number | undefined>
}

/** What was found to be wrong, a line each. */
export type Faults = string[]

/**
 * Holds what is there against what writers were told: what was done is there exactly once, what was
 * refused is not, and what nobody knows of is there as a whole or not at all.
 *
 * @param deeds of all writers; those of one in the order in which it did them. What one touched
 *   without getting an answer it has never touched again.
 * @param found all that is there.
 */
export function faultsOf(begun: World, deeds: readonly Deed[], found: World): Faults {
  const faults: Faults = []
  const settled = new Map(begun)
  const open: Open[] = []
  for (const writer of new Set(deeds.map((deed) => deed.writer))) {
    // What writers have of their own is all that they change.
    const world: World = new Map()
    for (const deed of deeds) {
      if (deed.writer !== writer || deed.ending === 'refused') continue
      if (deed.ending === 'done') apply(world, deed.action)
      else open.push({ deed, keys: differences(world, after(world, deed.action)) })
    }
    for (const [key, value] of world) settled.set(key, value)
  }
  for (const { deed, keys } of open) {
    const is = (of: (key: string) => number | undefined) =>
      [...keys.keys()].every((key) => found.get(key) === of(key))
    if (is((key) => keys.get(key))) for (const [key, value] of keys) put(settled, key, value)
    else if (!is((key) => settled.get(key)))
      faults.push(`a part of it is there, and the rest is not: ${told(deed)}`)
  }
  for (const [key, value] of settled) {
    const is = found.get(key)
    if (is === undefined) faults.push(`lost: ${key} (${historyOf(deeds, key)})`)
    else if (is !== value)
      faults.push(`${key} is ${is} and not ${value} (${historyOf(deeds, key)})`)
  }
  for (const key of found.keys())
    if (!settled.has(key)) faults.push(`too much: ${key} (${historyOf(deeds, key)})`)
  return faults
}

function put(world: World, key: string, value: number | undefined): void {
  if (value === undefined) world.delete(key)
  else world.set(key, value)
}

/** What has another value in the second one, with that value. */
function differences(from: World, to: World): Map<string, number | undefined> {
  const keys = [...new Set([...from.keys(), ...to.keys()])]
  return new Map(
    keys.filter((key) => from.get(key) !== to.get(key)).map((key) => [key, to.get(key)]),
  )
}

/** All that was done to a row or a table. */
function historyOf(deeds: readonly Deed[], key: string): string {
  const [table = '', row] = key.split(' ')
  const about = deeds.filter((deed) => {
    const all = touched(deed.action)
    return row === undefined ? all.has(table) : all.has(key)
  })
  return about.map(told).join('; ') || 'nobody touched it'
}

/** Tables and rows that an action names. */
export function touched(action: Action): ReadonlySet<string> {
  if (action.do === 'together')
    return new Set(
      action.parts.flatMap(({ table, rows }) => [table, ...rows.map((row) => rowKey(table, row))]),
    )
  const rows = 'rows' in action ? action.rows.map((row) => rowKey(action.table, row)) : []
  return new Set([action.table, ...('to' in action ? [action.to] : []), ...rows])
}

/** A deed in a line. */
export function told({ writer, action, ending, error }: Deed): string {
  const what = action.do === 'together' ? action.parts.map(({ table }) => table) : action.table
  const why = error ? `: ${error.replaceAll(/\s+/g, ' ').slice(0, 160)}` : ''
  return `${writer} ${action.do} ${what} ${ending}${why}`
}

/**
 * What an engine reads, as a world.
 *
 * @param read the rows of tables, or why one can't be read.
 * @param faults are told of that, and of rows that are there twice.
 */
export function worldOf(
  read: Readonly<Record<string, readonly Row[] | string>>,
  faults: Faults,
): World {
  const world: World = new Map()
  for (const [table, rows] of Object.entries(read)) {
    world.set(tableKey(table), THERE)
    if (typeof rows === 'string') faults.push(`${table} can't be read: ${rows}`)
    else
      for (const row of rows) {
        const key = rowKey(table, row)
        if (world.has(key)) faults.push(`doubled: ${key}`)
        world.set(key, Number(row.value))
      }
  }
  return world
}
