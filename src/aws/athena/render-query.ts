import type { Field } from '../../define/types/column-type.js'
import { typeNamed } from '../../define/types/parse-type.js'
import type { BoundTable, Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { renderHolding, yearsOfTables } from '../../gold/years.js'
import { toColumnType } from '../../iceberg/spec/types.js'
import { Table } from '../../iceberg/table.js'
import type { LakeState } from '../../log/commit.js'
import type { Rendering } from '../../sql/bound/render.js'
import { NotPortable } from '../../sql/bound/tree.js'
import { proveSelect, type TableRef } from '../../sql/guard.js'
import { folded } from '../../sql/relations.js'
import { emptyRelation } from '../../step/expressions.js'
import type { Storage } from '../../storage/storage.js'

/** A question in Trino's SQL, and what it gives. */
export interface Rendered {
  sql: string
  columns: Field[]
}

/**
 * A SELECT over the lake in SQL that gives the same rows and types on Athena: by what DuckDB binds,
 * as gold on Trino is (ADR 102). Rows have no order, unless LIMIT asks for the first.
 *
 * @param databases those of Glue, by schemas of the lake.
 * @throws MoraineError of kind `query` for what is not known to give the same.
 */
export async function renderForAthena(
  session: Session,
  { storage, state }: { storage: Storage; state: LakeState },
  sql: string,
  databases: Readonly<Record<string, string>>,
): Promise<Rendered> {
  const { tables } = proveSelect(await session.parser.tree(sql), sql)
  const bound: Known[] = []
  for (const table of tables) {
    const found = await boundTable(storage, state, table, databases)
    bound.push(found)
    await session.define(found.schema, found.name, emptyRelation(found.fields, session.dialect))
  }
  const columns = await session.describe(sql)
  const plan = await session.parser.boundPlan(sql, bound)
  try {
    const rendering: Rendering = {
      target: 'trino',
      columns,
      given: columns.map(({ name }) => name),
      table: (schema, name) => `"${databases[schema] ?? schema}"."${name.toLowerCase()}"`,
    }
    const known = bound.map((one) => [`${one.schema}.${one.name}`, one.version] as const)
    const text = await renderHolding(plan, rendering, () => yearsOfTables(known))
    return { sql: text, columns: columns.map(({ name, type }) => ({ name, type })) }
  } catch (error) {
    if (!(error instanceof NotPortable)) throw error
    throw new MoraineError('query', `Athena can't answer this exactly: ${error.message}`, {
      hint: `${error.hint.replace(/^Let DuckDB.*/, 'Ask it here')}. Without --on athena it is answered here.`,
    })
  }
}

/** A table of a question; a view has no version. */
interface Known extends BoundTable {
  version?: Table
}

/** A table as the log has it, which is what the catalog shows once it is projected. */
async function boundTable(
  storage: Storage,
  state: LakeState,
  { tier, name }: TableRef,
  databases: Readonly<Record<string, string>>,
): Promise<Known> {
  const shown = `${tier}.${name}`
  if (tier === 'bronze' || !Object.hasOwn(databases, tier))
    throw new MoraineError('query', `${shown} can't be asked for on Athena`, {
      hint: 'Ask for tables of silver, gold, discarded and history.',
    })
  const find = <T>(all: Readonly<Record<string, T>>) =>
    Object.entries(all).find(([one]) => folded(one) === folded(shown))?.[1]
  const view = find(state.views ?? {})
  if (view) {
    const fields = view.columns.map((column) => ({
      name: column.name,
      type: typeNamed(column.type) ?? ({ kind: 'string' } as const),
    }))
    return { schema: tier, name, fields }
  }
  const table = find(state.tables)
  if (!table)
    throw new MoraineError('query', `There is no table ${shown} in the lake`, {
      hint: 'List them with: moraine status',
    })
  const version = await Table.load(storage, table)
  const fields = version.schema.fields.map((field) => ({
    name: field.name,
    type: toColumnType(field.type),
  }))
  return { schema: tier, name, fields, version }
}
