import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { PartRange } from '../log/commit.js'
import type { Relations } from '../step/relations.js'
import { Part, type PartProof } from './partition.js'
import { closeParts, expiringInputs, isNamed } from './partitions.js'
import { provePart } from './prove.js'

/** The parts of a gold table as it stands, of which none is touched so far. */
interface StandingParts {
  part: Part
  proofs: readonly PartProof[]
  /** Inputs of whose rows some are gone, so that parts are final. */
  expired: readonly string[]
}

async function standingParts(
  session: Session,
  relations: Relations,
  dataset: Gold,
): Promise<StandingParts | undefined> {
  const table = await relations.table(fullName(dataset))
  if (!table || !dataset.incremental) return undefined
  await relations.define(session, inputsOf(dataset))
  const columns = table.schema.fields.map((field) => ({
    name: field.name,
    type: toColumnType(field.type),
  }))
  const { by, affects } = dataset.incremental
  const column = columns.find(({ name }) => name.toLowerCase() === by.toLowerCase())
  if (!column) return undefined
  const part = new Part(session, column, affects)
  const proofs = await provePart(session, dataset, columns)
  const expiring = expiringInputs(dataset, proofs, relations.view)
  const expired = await closeParts({ relations }, part, expiring)
  return { part, proofs, expired }
}

/**
 * SQL for the rows of a gold table in parts that are final, as rows which they were made of are
 * gone. `undefined` where no part is.
 */
export async function finalRows(
  session: Session,
  relations: Relations,
  dataset: Gold,
): Promise<string | undefined> {
  const standing = await standingParts(session, relations, dataset)
  if (!standing || standing.expired.length === 0) return undefined
  const { part } = standing
  const rows = await relations.tableRelation(session, fullName(dataset))
  return `SELECT * FROM (${rows}) WHERE NOT ${part.isOpen(quoteName(part.column.name))}`
}

/**
 * Whether rows that change in inputs touch parts of a gold table within ranges, or may.
 *
 * @param changed SQL for the rows that change in an input, by its full name; nothing where none do.
 */
export async function touchesParts(
  session: Session,
  relations: Relations,
  dataset: Gold,
  { ranges, changed }: { ranges: readonly PartRange[]; changed: ReadonlyMap<string, string> },
): Promise<boolean> {
  const standing = await standingParts(session, relations, dataset)
  if (!standing) return true
  const { part, proofs } = standing
  const found = proofs.flatMap((proof) => {
    const input = inputsOf(dataset).find((one) => isNamed(one, proof.driving))
    const rows = input && changed.get(fullName(input))
    return rows === undefined ? [] : [{ rows, proof }]
  })
  if (found.length === 0) return false
  await part.find(found)
  return part.touchesAny(ranges)
}
