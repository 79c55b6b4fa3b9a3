import { partitionProblem, type TransformName } from '../define/partition.js'
import { currentSpec } from './spec/metadata.js'
import {
  isKnownTransform,
  type PartitionField,
  parseTransform,
  resultType,
} from './spec/transforms.js'
import { type IcebergType, type Schema, toColumnType, typeText } from './spec/types.js'
import type { Table } from './table.js'

/** Types that are read as others, as which they would be written. */
const READ_OTHERWISE = /^(uuid|time|fixed\[\d+\])$/

/** Types of partitions that manifests are not written with. */
const NOT_LISTED = /^(uuid|time|binary|fixed\[\d+\])$/

/**
 * Why the files of a table that another engine made can't be listed anew, with their partitions;
 * `undefined` where they can.
 */
export function listingProblem(table: Table): string | undefined {
  for (const spec of table.metadata['partition-specs']) {
    const schema = table.schemaOf(spec)
    const other = spec.fields.find((field) => !isListed(field, schema))
    if (other) return partitionsOf(other, schema)
  }
  return undefined
}

/** Why rows of such a table can't be written, as its columns and partitions are to be. */
export function writingProblem(table: Table): string | undefined {
  const { schema } = table
  const other = schema.fields.find(({ type }) =>
    leavesOf(type).some((leaf) => READ_OTHERWISE.test(leaf)),
  )
  if (other)
    return `its column ${other.name} is of the type ${typeText(other.type)}, which is read and not written`
  for (const field of currentSpec(table.metadata).fields) {
    const source = sourceOf(field, schema)
    if (!source || !isKnownTransform(field.transform)) return partitionsOf(field, schema)
    const { name, width } = parseTransform(field.transform)
    const problem = partitionProblem(
      {
        kind: 'partition',
        transform: name as TransformName,
        column: source.name,
        ...(width > 0 ? { width } : {}),
      },
      toColumnType(source.type),
    )
    if (problem !== undefined) return `of its partitions, ${problem}`
  }
  return undefined
}

const sourceOf = (field: PartitionField, schema: Schema) =>
  schema.fields.find(({ id }) => id === field['source-id'])

function isListed(field: PartitionField, schema: Schema): boolean {
  const type = sourceOf(field, schema)?.type
  // `void` has no values, whatever it was before.
  const isKnown = isKnownTransform(field.transform) || field.transform === 'void'
  return isKnown && typeof type === 'string' && !NOT_LISTED.test(resultType(field.transform, type))
}

function partitionsOf(field: PartitionField, schema: Schema): string {
  const source = sourceOf(field, schema)
  const of = source ? `${source.name} (${typeText(source.type)})` : 'no column of its own'
  return `its partition ${field.name} is ${field.transform} of ${of}`
}

function leavesOf(type: IcebergType): string[] {
  if (typeof type === 'string') return [type]
  if (type.type === 'list') return leavesOf(type.element)
  if (type.type === 'map') return [type.key, type.value].flatMap(leavesOf)
  return type.fields.flatMap((field) => leavesOf(field.type))
}
