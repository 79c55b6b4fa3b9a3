import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { SYSTEM, systemNames } from '../../define/sql/name.js'
import { sqlType } from '../../define/types/sql-type.js'
import { type IcebergField, toColumnType } from '../../iceberg/spec/types.js'
import type { LakeState } from '../../log/commit.js'
import { externalRelations } from '../../log/external.js'
import { Batches, bronzeLineage, columnsOf } from '../../step/batches.js'
import { isLost } from '../../storage/passing.js'
import type { Storage } from '../../storage/storage.js'
import { systemTables } from '../system/tables.js'
import { externalTable, ownNames, ownTable } from '../tables.js'
import type { Caller, VisibleColumn, VisibleTable } from './request.js'
import type { Shown, ShownTypes } from './shown-types.js'

interface Looked {
  storage: Storage
  state: LakeState
  lake: Pick<Lake, 'datasets'> | undefined
  types: ShownTypes
  /** Hears of tables of which nothing can be read. */
  onError?: ((error: unknown) => void) | undefined
}

/** The tables and views that somebody may query, in the order of their names. */
export async function visibleTables(
  { storage, state, lake, types, onError = () => {} }: Looked,
  caller: Caller,
): Promise<VisibleTable[]> {
  const { rights } = caller
  const about = new Map(
    (lake?.datasets ?? []).map((one) => [fullName(one), one.about.description ?? undefined]),
  )
  const own = ownNames(state)
    .map((name) => [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)] as const)
    .filter((levels) => rights.mayQuery(levels))
  const described = own.map(async (levels): Promise<Shown> => {
    const [schema, name] = levels
    const view = state.views?.[`${schema}.${name}`]
    const table: VisibleTable = {
      ...{ schema, name, comment: about.get(`${schema}.${name}`) },
      kind: view ? 'view' : 'table',
      columns: view
        ? view.columns.map((column) => plainColumn(column.name, column.type))
        : await ownColumns(storage, state, { tier: schema, name }).catch((error) => {
            // One whose files are gone or damaged is shown without its columns, beside the others.
            if (!isLost(error)) throw error
            onError(error)
            return []
          }),
    }
    return { table, levels }
  })
  const external = externalRelations(state)
    .filter(({ kind }) => kind !== 'view')
    .filter(({ namespace, name }) => rights.mayQuery([...namespace, name]))
    .map(async ({ namespace, name }): Promise<Shown> => {
      const schema = namespace.join('.')
      const asked = { tier: schema.toLowerCase(), name }
      // One whose files are gone is shown without its columns.
      const columns = await externalTable(storage, state, asked, undefined).then(
        (table) => table.schema.fields.map(columnOf),
        () => [],
      )
      const table: VisibleTable = { schema, name, kind: 'table', comment: undefined, columns }
      return { table, levels: [...namespace, name] }
    })
  const system = systemNames
    .filter((name) => rights.mayQuery([SYSTEM, name]))
    .map((name): Shown => {
      const columns = systemTables[name].columns.map((one) =>
        plainColumn(one.name, sqlType(one.type)),
      )
      const table = { schema: SYSTEM, name, comment: undefined, columns }
      return { table: { ...table, kind: 'table' }, levels: [SYSTEM, name] }
    })
  const found = await Promise.all([...described, ...external, ...system])
  const all = await types.of(found, caller, state)
  return all.sort((a, b) => (`${a.schema}.${a.name}` < `${b.schema}.${b.name}` ? -1 : 1))
}

async function ownColumns(
  storage: Storage,
  state: LakeState,
  { tier, name }: { tier: string; name: string },
): Promise<VisibleColumn[]> {
  if (tier !== 'bronze')
    return (await ownTable(storage, state, { tier, name })).schema.fields.map(columnOf)
  const manifests = await new Batches(storage).manifests(state.batches[`bronze.${name}`] ?? [])
  return [...bronzeLineage, ...columnsOf(manifests)].map((column) => plainColumn(column, 'VARCHAR'))
}

/** A column as who may query its table sees it. */
export function columnOf({ name, type, required, doc }: IcebergField): VisibleColumn {
  return { name, type: sqlType(toColumnType(type)), nullable: !required, comment: doc }
}

const plainColumn = (name: string, type: string): VisibleColumn => ({
  ...{ name, type },
  nullable: true,
  comment: undefined,
})
