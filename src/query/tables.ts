import { nearest } from '../define/nearest.js'
import type { Field } from '../define/types/column-type.js'
import { MoraineError } from '../errors.js'
import { ForeignTable } from '../iceberg/foreign.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { LakeState } from '../log/commit.js'
import { LEVEL, shownKey } from '../log/external.js'
import type { TableRef } from '../sql/guard.js'
import { folded } from '../sql/relations.js'
import type { Storage } from '../storage/storage.js'

/**
 * Tables as queries of one state have found them, by their metadata: what describes them is read
 * once.
 */
const loaded = new WeakMap<LakeState, Map<string, Table>>()

/** A table of the lake itself. */
export async function ownTable(
  storage: Storage,
  state: LakeState,
  { tier, name }: TableRef,
): Promise<Table> {
  const at = state.tables[findName(state, `${tier}.${name}`)] as TablePointer
  const tables = loaded.get(state) ?? new Map<string, Table>()
  loaded.set(state, tables)
  const table = tables.get(at.metadata) ?? (await Table.load(storage, at))
  tables.set(at.metadata, table)
  return table
}

/** A table of another engine: all of its columns, or those that are declared. */
export async function externalTable(
  storage: Storage,
  state: LakeState,
  asked: TableRef,
  declared: readonly Field[] | undefined,
): Promise<ForeignTable> {
  const { tier, name, at } = findExternal(state, asked)
  return ForeignTable.load(storage, at, { name: `${tier}.${name}`, declared })
}

/**
 * What another engine keeps under a name; where several differ by the case of letters alone, the
 * one that is spelt so.
 */
function findExternal(state: LakeState, { tier, name }: TableRef) {
  const all = Object.entries(state.external?.relations ?? {}).map(([key, at]) => {
    const levels = key.split(LEVEL)
    return { namespace: levels.slice(0, -1).join('.'), name: levels.at(-1) as string, at }
  })
  const same = all.filter(
    (one) => folded(one.namespace) === tier && folded(one.name) === folded(name),
  )
  const found = same.find((one) => one.name === name) ?? same[0]
  const shown = `${tier}.${name}`
  if (!found) throw noTable(state, shown)
  if (found.at.kind === 'view')
    throw new MoraineError('query', `${shown} is a view of another engine`, {
      hint: 'Only that engine can compute it: query the tables that it reads.',
    })
  return { tier, name, at: found.at }
}

/** The name of a dataset's table as the state spells it. */
export function findName(state: LakeState, wanted: string): string {
  const all = [state.batches, state.tables, state.views ?? {}].flatMap((of) => Object.keys(of))
  const found = all.find((name) => name.toLowerCase() === wanted.toLowerCase())
  if (found) return found
  throw noTable(state, wanted)
}

function noTable(state: LakeState, wanted: string): MoraineError {
  const own = [state.batches, state.tables, state.views ?? {}].flatMap((of) => Object.keys(of))
  const others = Object.keys(state.external?.relations ?? {})
  const all = [...own, ...others.map(shownKey)]
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
