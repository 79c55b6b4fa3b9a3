import { nearest } from '../define/nearest.js'
import type { Field } from '../define/types/column-type.js'
import { MoraineError } from '../errors.js'
import { ForeignTable } from '../iceberg/foreign.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { TableVersion } from '../iceberg/version.js'
import type { LakeState } from '../log/commit.js'
import { externalRelations } from '../log/external.js'
import type { TableRef } from '../sql/guard.js'
import { folded } from '../sql/relations.js'
import type { Storage } from '../storage/storage.js'

/**
 * Tables as queries of one state have found them, by their metadata: what describes them is read
 * once.
 */
const loaded = new WeakMap<LakeState, Map<string, Promise<TableVersion>>>()

function once<T extends TableVersion>(
  state: LakeState,
  key: string,
  load: () => Promise<T>,
): Promise<T> {
  const tables = loaded.get(state) ?? new Map<string, Promise<TableVersion>>()
  loaded.set(state, tables)
  const known = tables.get(key) as Promise<T> | undefined
  if (known) return known
  const found = load()
  tables.set(key, found)
  // What could not be read may be there the next time.
  found.catch(() => tables.delete(key))
  return found
}

/** A table of the lake itself. */
export async function ownTable(
  storage: Storage,
  state: LakeState,
  { tier, name }: TableRef,
): Promise<Table> {
  const at = state.tables[findName(state, `${tier}.${name}`)] as TablePointer
  return once(state, at.metadata, () => Table.load(storage, at))
}

/** A table of another engine: all of its columns, or those that are declared. */
export async function externalTable(
  storage: Storage,
  state: LakeState,
  asked: TableRef,
  declared: readonly Field[] | undefined,
): Promise<ForeignTable> {
  const { tier, name, at } = findExternal(state, asked)
  const key = `${at.metadata} ${JSON.stringify(declared)}`
  return once(state, key, () =>
    ForeignTable.load(storage, at, { name: `${tier}.${name}`, declared }),
  )
}

/**
 * What another engine keeps under a name; where several differ by the case of letters alone, the
 * one that is spelt so.
 */
function findExternal(state: LakeState, { tier, name }: TableRef) {
  const same = externalRelations(state).filter(
    (one) => folded(one.namespace.join('.')) === tier && folded(one.name) === folded(name),
  )
  const found = same.find((one) => one.name === name) ?? same[0]
  const shown = `${tier}.${name}`
  if (!found) throw noTable(state, shown)
  if (found.kind === 'view')
    throw new MoraineError('query', `${shown} is a view of another engine`, {
      hint: 'Only that engine can compute it: query the tables that it reads.',
    })
  return { tier, name, at: found }
}

/** The name of a dataset's table as the state spells it. */
export function findName(state: LakeState, wanted: string): string {
  const found = ownNames(state).find((name) => name.toLowerCase() === wanted.toLowerCase())
  if (found) return found
  throw noTable(state, wanted)
}

const ownNames = ({ batches, tables, views = {} }: LakeState) =>
  [batches, tables, views].flatMap((of) => Object.keys(of))

function noTable(state: LakeState, wanted: string): MoraineError {
  const all = [...ownNames(state), ...externalRelations(state).map(({ fullName }) => fullName)]
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
