import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { historiesIn, renderSql } from '../define/sql/sql.js'
import { typeName } from '../define/types/column-type.js'
import { sqlType } from '../define/types/sql-type.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { definitionOf } from '../plan/fingerprint.js'
import { hash, type StepContext, withSession } from '../step/context.js'
import type { StepOutput } from '../step/task/output.js'
import type { GoldColumns } from './casts.js'
import { describeGold } from './describe.js'

/** Stores a view: its query is bound, and becomes part of the lake. Nothing is computed. */
export async function buildView(context: StepContext, dataset: Gold): Promise<StepOutput> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    await context.relations.define(session, inputsOf(dataset))
    await context.relations.defineHistories(session, historiesIn(dataset.query))
    const { fields } = await describeView(session, dataset)
    const view = {
      sql: renderSql(dataset.query),
      columns: fields.map((field) => ({ name: field.name, type: typeName(field.type) })),
      definition: definitionOf(dataset, hash),
    }
    return { tables: {}, views: { [name]: view }, result: { notes: ['its query is stored'] } }
  })
}

/**
 * The columns of a view. It gives what its query gives: a declared type has to be that of the
 * query.
 *
 * @throws MoraineError of kind `definition` where it is not.
 */
export async function describeView(session: Session, dataset: Gold): Promise<GoldColumns> {
  const described = await describeGold(session, dataset)
  for (const { name, type } of dataset.declared ? described.fields : []) {
    const given = described.found.find((column) => column.name === name)
    if (!given || given.sqlType === sqlType(type)) continue
    throw new MoraineError(
      'definition',
      `${fullName(dataset)}: '${name}' is declared as ${typeName(type)}, but the query of the view returns ${given.sqlType}`,
      {
        place: dataset.place && { ...dataset.place, near: `${name}:` },
        hint: `Cast it in the SQL: CAST(… AS ${sqlType(type)}) AS ${name}`,
      },
    )
  }
  return described
}
