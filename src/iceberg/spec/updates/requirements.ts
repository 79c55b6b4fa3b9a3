import { ownValue } from '../../../own-value.js'
import { type Json, longOf, textOf } from './json.js'
import type { AnyMetadata } from './metadata-json.js'
import { conflict, invalid } from './refused.js'
import type { ViewMetadata } from './view-metadata.js'

/**
 * What must be so before updates are applied (REST specification, TableRequirement); `undefined` is
 * a table that is not there.
 */
export function checkRequirements(
  requirements: readonly Json[],
  metadata: AnyMetadata | undefined,
): void {
  for (const requirement of requirements) check(requirement, metadata)
}

/** The same for views, which know one requirement. */
export function checkViewRequirements(
  requirements: readonly Json[],
  metadata: ViewMetadata | undefined,
): void {
  for (const requirement of requirements) {
    const type = textOf(requirement, 'type')
    if (type !== 'assert-view-uuid') throw invalid(`Unsupported requirement of a view: ${type}`)
    const [expected, uuid] = [textOf(requirement, 'uuid'), metadata?.['view-uuid']]
    if (expected.toLowerCase() !== uuid?.toLowerCase())
      throw conflict(
        `Requirement failed: view UUID does not match: expected ${expected} != ${uuid}`,
      )
  }
}

/**
 * Requirements that compare one number: the field that expects, the one in metadata, and how it is
 * called.
 */
const numbers: Readonly<Record<string, readonly [string, keyof AnyMetadata, string]>> = {
  'assert-last-assigned-field-id': [
    'last-assigned-field-id',
    'last-column-id',
    'last assigned field id',
  ],
  'assert-current-schema-id': ['current-schema-id', 'current-schema-id', 'current schema'],
  'assert-last-assigned-partition-id': [
    'last-assigned-partition-id',
    'last-partition-id',
    'last assigned partition id',
  ],
  'assert-default-spec-id': ['default-spec-id', 'default-spec-id', 'default partition spec'],
  'assert-default-sort-order-id': [
    'default-sort-order-id',
    'default-sort-order-id',
    'default sort order',
  ],
}

function check(requirement: Json, metadata: AnyMetadata | undefined): void {
  const type = textOf(requirement, 'type')
  if (type === 'assert-create') {
    if (metadata) throw conflict('Requirement failed: table already exists')
    return
  }
  if (!metadata) throw conflict('Requirement failed: table does not exist')
  if (type === 'assert-table-uuid') {
    const expected = textOf(requirement, 'uuid')
    if (expected.toLowerCase() !== metadata['table-uuid'].toLowerCase())
      throw conflict(
        `Requirement failed: UUID does not match: expected ${metadata['table-uuid']} != ${expected}`,
      )
    return
  }
  if (type === 'assert-ref-snapshot-id') {
    checkRef(requirement, metadata)
    return
  }
  const number = ownValue(numbers, type)
  if (!number) throw invalid(`Unsupported requirement: ${type}`)
  const [field, name, called] = number
  const [expected, actual] = [longOf(requirement, field), metadata[name]]
  if (String(expected) !== String(actual))
    throw conflict(`Requirement failed: ${called} changed: expected id ${expected} != ${actual}`)
}

function checkRef(requirement: Json, metadata: AnyMetadata): void {
  const name = textOf(requirement, 'ref')
  const expected = requirement['snapshot-id'] ?? undefined
  if (expected !== undefined) longOf(requirement, 'snapshot-id')
  const ref = ownValue(metadata.refs, name)
  if (!ref) {
    if (expected === undefined) return
    throw conflict(`Requirement failed: branch or tag ${name} is missing, expected ${expected}`)
  }
  if (expected === undefined)
    throw conflict(`Requirement failed: ${ref.type} ${name} was created concurrently`)
  if (String(expected) !== String(ref['snapshot-id']))
    throw conflict(
      `Requirement failed: ${ref.type} ${name} has changed: expected id ${expected} != ${ref['snapshot-id']}`,
    )
}
