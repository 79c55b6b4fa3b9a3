import { fullName, schemaOf } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyInput, Gold, Silver } from '../define/model.js'
import { renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { describeGold } from '../gold/describe.js'
import { refsIn } from '../plan/select.js'
import { isSettled } from '../run/bind/columns.js'
import { proveDefinition, sqlOf } from '../run/bind/prove-sql.js'
import { textsOf } from '../sql/expression.js'
import { parsed } from '../sql/guard.js'
import type { Given } from './dataset-test.js'

const isGiven = (input: AnyInput, given: readonly Given[]) =>
  given.some(({ dataset, rows }) => dataset === input && rows.length > 0)

/**
 * Columns that the SQL of a silver dataset names, by the bronze datasets that may have them: those
 * without given rows whose definition does not say all their columns.
 */
export async function columnsUngiven(
  session: Session,
  dataset: Silver,
  given: readonly Given[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const empty = dataset.from.filter(
    (input) => input.tier === 'bronze' && !isSettled(input) && !isGiven(input, given),
  )
  if (empty.length === 0) return new Map()
  const texts = sqlOf(dataset)
    .filter(({ what }) => ['select', 'deleteWhen'].includes(what))
    .flatMap(({ sql }) => textsOf(renderSql(sql))[0])
  const trees = await session.parser.trees(texts)
  const names = trees
    .flatMap((tree) => (parsed(tree).statements ?? []).flatMap(refsIn))
    .map(({ column_names }) => column_names as string[])
    .flatMap((path) => (path.length === 1 ? path : []))
  // Names have no case.
  const once = [...new Map(names.map((name) => [name.toLowerCase(), name])).values()]
  return new Map(empty.map((input) => [fullName(input), once]))
}

/** The columns of a gold dataset that declares none, as its query gives them. */
export async function goldColumns(
  session: Session,
  input: Gold,
  relationOf: (input: AnyInput, fields?: readonly Field[]) => string,
): Promise<readonly Field[] | undefined> {
  await proveDefinition(session, input)
  for (const inner of inputsOf(input)) {
    const fields = isUndeclared(inner) ? await goldColumns(session, inner, relationOf) : undefined
    await session.define(schemaOf(inner), inner.name, relationOf(inner, fields))
  }
  // What reads files of which no columns are known can't be told.
  return describeGold(session, input).then(
    ({ fields }) => fields,
    () => undefined,
  )
}

/** Whether only its query tells the columns of a dataset. */
export const isUndeclared = (input: AnyInput): input is Gold =>
  input.tier === 'gold' && !input.declared
