import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Relation, Session } from '../engine/engine.js'
import { applyTransform } from '../iceberg/spec/transforms.js'
import { toFields } from '../iceberg/spec/types.js'
import { parseValue } from '../iceberg/spec/values.js'
import { callable } from '../quality/functions.js'
import type { StepPart } from '../step/task/task.js'
import type { Validated } from './stages.js'

/** Buckets of each column, where a key has several. */
const MANY = 2 ** 30

/**
 * SQL whether a row's key is in the bucket of a part. A key of one column is in the bucket that
 * Iceberg's transform gives (Murmur3), so that other engines find the same one; of several, the
 * buckets of all are put together. Rows without a whole key are in the first.
 */
export function inBucket(session: Session, dataset: Silver, { index, of }: StepPart): string {
  const { fields } = toFields(fieldsOfShape(dataset.schema.shape as never), [], 0)
  const { values } = session.dialect
  const transform = `bucket[${dataset.key.length === 1 ? of : MANY}]`
  const buckets = dataset.key.map((name) => {
    const type = String(fields.find((field) => field.name === name)?.type)
    const bucket = callable(session, (text) => {
      const value = text === null ? undefined : parseValue(text, type)
      return value === undefined ? null : String(applyTransform(transform, value, type))
    })
    return `CAST(${bucket(values.text(quoteName(name)))} AS BIGINT)`
  })
  const whole = dataset.key.map((name) => `${quoteName(name)} IS NOT NULL`).join(' AND ')
  const number = buckets.reduce((sum, bucket) => `(${sum} * 31 + ${bucket}) % ${MANY}`)
  return `(CASE WHEN ${whole} THEN (${number}) % ${of} ELSE 0 END = ${index})`
}

/** Validated rows of the keys that a part is about. */
export async function ofBucket(
  session: Session,
  dataset: Silver,
  part: StepPart,
  { columns, rows, flagged, keyed }: Validated,
): Promise<Validated> {
  const mine = inBucket(session, dataset, part)
  const some = ({ sql }: Relation) => session.view(`SELECT * FROM ${sql} WHERE ${mine}`)
  return {
    columns,
    rows: await some(rows),
    flagged: await some(flagged),
    keyed: { relation: await some(keyed.relation) },
  }
}
