import { allRights, type Levels } from '../define/access/rights.js'
import { nearest } from '../define/nearest.js'
import { SYSTEM, systemNames } from '../define/sql/name.js'
import type { Field } from '../define/types/column-type.js'
import { MoraineError } from '../errors.js'
import { ForeignTable } from '../iceberg/foreign.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { LakeState } from '../log/commit.js'
import {
  type ExternalRelation,
  externalRelations,
  keyOf,
  keyOfRelation,
  LEVEL,
} from '../log/external.js'
import { othersWith } from '../log/tables/others.js'
import { isQueried, type TableRef, tiers, withoutLayer } from '../sql/guard.js'
import { folded } from '../sql/relations.js'
import type { Storage } from '../storage/storage.js'
import { LoadedTables } from './loaded-tables.js'
import { systemTableOf } from './system/tables.js'

/** What the log says of a table. */
export function pointerOf(state: LakeState, asked: TableRef): unknown {
  return tiers.includes(asked.tier)
    ? state.tables[findName(state, `${asked.tier}.${asked.name}`)]
    : findExternal(state, asked).at
}

/**
 * The levels of a table or view, and what the log says of it; `undefined` for what is not there.
 */
export function pointersOf(
  state: LakeState,
  asked: TableRef,
): { levels: Levels; pointer: unknown } | undefined {
  if (!tiers.includes(asked.tier)) {
    const found = sameExternal(state, asked)
    return found && { levels: [...found.namespace, found.name], pointer: found }
  }
  const shown = `${asked.tier}.${asked.name}`.toLowerCase()
  const found = ownNames(state).find((name) => name.toLowerCase() === shown)
  if (!found) return undefined
  return { levels: ownLevels(found), pointer: state.tables[found] ?? state.batches[found] ?? null }
}

/** A table of the lake itself. */
export async function ownTable(
  storage: Storage,
  state: LakeState,
  { tier, name }: TableRef,
): Promise<Table> {
  const found = findName(state, `${tier}.${name}`)
  const at = state.tables[found] as TablePointer
  return LoadedTables.of(storage).once(found, at, () => Table.load(storage, at))
}

/** A table of another engine: all of its columns, or those that are declared. */
export async function externalTable(
  storage: Storage,
  state: LakeState,
  asked: TableRef,
  declared: readonly Field[] | undefined,
): Promise<ForeignTable> {
  const { tier, name, at } = findExternal(state, asked)
  const as = `${keyOfRelation(at)} as ${tier}.${name}: ${JSON.stringify(declared)}`
  return LoadedTables.of(storage).once(as, at, () =>
    ForeignTable.load(storage, at, { name: `${tier}.${name}`, declared }),
  )
}

/**
 * What another engine keeps under a name; where several differ by the case of letters alone, the
 * one that is spelt so.
 */
function sameExternal(state: LakeState, { tier, name }: TableRef): ExternalRelation | undefined {
  const same = foldedExternals(state).get(foldedName(tier, name)) ?? []
  return same.find((one) => one.name === name) ?? same[0]
}

const foldedName = (tier: string, name: string) => `${tier}${LEVEL}${folded(name)}`

/** By what they were made of: there may be tens of thousands, and all may be asked for. */
const byFolded = new WeakMap<object, ReadonlyMap<string, ExternalRelation[]>>()

/** Tables and views of other engines by their names, without the case of letters. */
function foldedExternals(state: LakeState): ReadonlyMap<string, ExternalRelation[]> {
  const { relations = {} } = state.external ?? {}
  const known = byFolded.get(relations)
  if (known) return known
  const found = new Map<string, ExternalRelation[]>()
  for (const one of externalRelations(state)) {
    const key = foldedName(folded(one.namespace.join('.')), one.name)
    found.set(key, [...(found.get(key) ?? []), one])
  }
  byFolded.set(relations, found)
  return found
}

function findExternal(state: LakeState, { tier, name }: TableRef) {
  const found = sameExternal(state, { tier, name })
  const shown = `${tier}.${name}`
  if (!found) throw noTable(state, shown)
  if (found.kind === 'view')
    throw new MoraineError('query', `${shown} is a view of another engine`, {
      hint: 'Only that engine can compute it: query the tables that it reads.',
    })
  return { tier, name, at: found }
}

/**
 * The levels of a table or view as the state spells them.
 *
 * @param rights whoever asks: what it may not query is as if it were not there.
 * @throws MoraineError of kind `query` when there is none.
 */
export function levelsOf(state: LakeState, asked: TableRef, rights = allRights): Levels {
  const shown = `${asked.tier}.${asked.name}`
  const isSeen = (levels: Levels) => rights.mayQuery(levels)
  if (asked.tier === SYSTEM) {
    const levels = [SYSTEM, folded(asked.name)]
    if (systemTableOf(asked.name) && isSeen(levels)) return levels
    throw noTable(state, shown, isSeen)
  }
  if (!tiers.includes(asked.tier)) {
    const { namespace, name } = sameExternal(state, asked) ?? { namespace: [], name: '' }
    const levels = [...namespace, name]
    if (namespace.length > 0 && isSeen(levels)) return levels
    throw noTable(state, shown, isSeen)
  }
  const found = ownNames(state).find((name) => name.toLowerCase() === shown.toLowerCase())
  if (found && isSeen(ownLevels(found))) return ownLevels(found)
  throw noTable(state, shown, isSeen)
}

/**
 * Tells of files of tables of other engines which ones lie in another table than one that is asked
 * for, where whoever asks may not read that. `undefined` where all may be read.
 */
export function othersThan(state: LakeState, asked: TableRef, rights = allRights) {
  if (rights.unlimited || asked.tier === SYSTEM || tiers.includes(asked.tier)) return undefined
  const own = keyOf(levelsOf(state, asked))
  return (path: string) => othersWith(path, 'read', { rights, state, own }) === 'refused'
}

/** The levels of a dataset's table by its full name. */
const ownLevels = (name: string): Levels => {
  const dot = name.indexOf('.')
  return [name.slice(0, dot), name.slice(dot + 1)]
}

/** The name of a dataset's table as the state spells it. */
export function findName(state: LakeState, wanted: string): string {
  const found = ownNames(state).find((name) => name.toLowerCase() === wanted.toLowerCase())
  if (found) return found
  throw noTable(state, wanted)
}

/** The tables and views of a lake that may be queried: others are for its runs alone. */
export const ownNames = ({ batches, tables, views = {} }: LakeState): string[] =>
  Object.keys({ ...batches, ...tables, ...views }).filter(isQueried)

function noTable(
  state: LakeState,
  wanted: string,
  isSeen: (levels: Levels) => boolean = () => true,
): MoraineError {
  const own = ownNames(state).filter((name) => isSeen(ownLevels(name)))
  const external = externalRelations(state).filter(({ namespace, name }) =>
    isSeen([...namespace, name]),
  )
  const system = systemNames.filter((name) => isSeen([SYSTEM, name]))
  const all = [
    ...own,
    ...external.map(({ fullName }) => fullName),
    ...(wanted.startsWith(`${SYSTEM}.`) ? system.map((name) => `${SYSTEM}.${name}`) : []),
  ]
  const similar = nearest(wanted, all)
  return new MoraineError(
    'query',
    `There is no table ${wanted} in this lake${state.number === 0 ? ' yet' : ''}`,
    {
      hint: similar
        ? `Did you mean ${similar}?`
        : all.length > 0
          ? `Its tables are: ${all.join(', ')}`
          : 'Fill the lake first: moraine run',
    },
  )
}

/** An error about a table without its layer, with those that it has in this lake. */
export function withLayers(error: unknown, state: LakeState, rights = allRights): unknown {
  const name = error instanceof MoraineError ? withoutLayer(error.message) : undefined
  if (!(error instanceof MoraineError) || name === undefined) return error
  const all = ownNames(state).filter((one) => rights.mayQuery(ownLevels(one)))
  const named = all.filter((one) => ownLevels(one)[1]?.toLowerCase() === name.toLowerCase())
  // Those beside a table are seldom meant.
  const main = named.filter((one) => /^(bronze|silver|gold)\./.test(one))
  const same = main.length > 0 ? main : named
  const last = same.at(-1)
  const listed = same.length > 1 ? `${same.slice(0, -1).join(', ')} or ${last}` : last
  const similar = nearest(name, all)
  const known =
    all.length > 0 ? `Its tables are: ${all.join(', ')}` : 'Fill the lake first: moraine run'
  const hint = listed ? `Write ${listed}.` : similar ? `Did you mean ${similar}?` : known
  return new MoraineError(error.kind, error.message, { hint, cause: error })
}
