import { fullName, schemaOf } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyInput, Gold } from '../define/model.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import { type Field, typeName } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { proveIncremental, type TableName, Unprovable } from '../plan/incremental.js'
import type { PartProof } from './partition.js'

/**
 * Where a part's rows of the inputs that decide are found, under the inputs' own names.
 *
 * @param bucket what tells buckets apart that are computed side by side.
 */
export const partSchema = (dataset: Gold, input: AnyInput, bucket = '') =>
  `${fullName(dataset)} of ${schemaOf(input)}${bucket}`

/**
 * Proves that a dataset's query can be computed part by part.
 *
 * @throws MoraineError of kind `definition` that says what to change, when it can't be.
 */
export async function provePart(
  session: Session,
  dataset: Gold,
  columns: readonly Field[],
  driving: readonly AnyInput[] = [],
): Promise<PartProof[]> {
  const { incremental, query } = dataset
  const { by, affects } = incremental as NonNullable<Gold['incremental']>
  const inputs = new Map<string, Map<string, string>>()
  for (const input of inputsOf(dataset)) {
    const schema = driving.includes(input) ? partSchema(dataset, input) : schemaOf(input)
    const found = await session.describe(
      `SELECT * FROM ${quoteName(schema)}.${quoteName(input.name)}`,
    )
    inputs.set(
      fullName(input).toLowerCase(),
      new Map(found.map(({ name, sqlType }) => [name.toLowerCase(), sqlType])),
    )
  }
  const typesOf = ({ tier, name }: TableName) => inputs.get(`${tier}.${name}`.toLowerCase())
  const columnsOf = (table: TableName) => [...(typesOf(table)?.keys() ?? [])]
  const typeOf = (table: TableName, column: string) => typesOf(table)?.get(column)
  const serialized = await session.parser.tree(renderSql(query))
  try {
    checkReach(dataset, columns)
    const proofs: PartProof[] = []
    for (const proof of proveIncremental({ serialized, by, affects, columnsOf, typeOf }))
      proofs.push({ ...proof, sql: await session.parser.text(proof.expression) })
    return proofs
  } catch (error) {
    if (!(error instanceof Unprovable)) throw error
    throw new MoraineError(
      'definition',
      `${fullName(dataset)} cannot be updated incrementally by '${by}': ${error.message}`,
      { place: dataset.place && { ...dataset.place, near: 'incremental' }, hint: error.hint },
    )
  }
}

const countable = ['int', 'bigint', 'date', 'timestamp']

function checkReach({ incremental }: Gold, columns: readonly Field[]): void {
  const { by, affects } = incremental as NonNullable<Gold['incremental']>
  const column = columns.find((c) => c.name.toLowerCase() === by.toLowerCase())
  if (!column)
    throw new Unprovable(
      'the query returns no such column',
      `It returns: ${columns.map((c) => c.name).join(', ')}`,
    )
  if (affects && !countable.includes(column.type.kind))
    throw new Unprovable(
      `affects counts days or numbers, but it is ${typeName(column.type)}`,
      'Use a column that is a date, a timestamp or a whole number',
    )
}
