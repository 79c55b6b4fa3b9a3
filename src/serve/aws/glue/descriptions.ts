import type { Caller } from '../../../query/service/request.js'
import { isManaged } from '../../rest/names.js'
import type { LakeAccess } from '../athena/lake-access.js'
import type { LakeViews } from '../athena/relations/lake-views.js'
import type { Relation } from '../athena/relations/relation.js'
import type { TableDefinitions } from '../athena/table-definitions.js'
import { AwsError } from '../protocol/failure.js'
import type { Fields } from '../protocol/fields.js'

export interface DescriptionParts {
  views: LakeViews
  definitions: TableDefinitions
}

/** A table or view as Glue tells of it. */
export interface GlueTable {
  TableType: string
  StorageDescriptor: {
    Columns: { Name: string; Type: string; Comment: string }[]
    Location: string
  }
  Parameters: Record<string, string>
}

/** Properties of metadata that others than Iceberg give meaning to. */
const PLAIN = /^[A-Za-z_][\w -]{0,254}$/
/** What Iceberg keeps in its metadata under such a name, or Glue tells by itself. */
const RESERVED = [
  ...['format-version', 'uuid', 'snapshot-count', 'current-snapshot-id', 'location', 'owner'],
  ...['provider', 'current-snapshot-summary', 'current-snapshot-timestamp-ms', 'current-schema'],
  ...['default-partition-spec', 'default-sort-order', 'metadata_location', 'external'],
  ...['previous_metadata_location', 'table_type', 'classification', 'presto_view', 'comment'],
]
const isOwn = (name: string) => PLAIN.test(name) && !RESERVED.includes(name.toLowerCase())

/** What is said of a table or view beside its columns, in its metadata. */
export async function parametersOf(
  access: LakeAccess,
  { schema, name, kind, properties }: Relation,
): Promise<Record<string, string>> {
  const identifier = await access.identifier({ schema, name })
  if (kind === 'view' && !properties) return {}
  if (!properties && isManaged(identifier.namespace)) return {}
  const all =
    properties ??
    (await access.metadata(identifier).then(
      (m) => m.properties,
      () => ({}),
    ))
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => isOwn(key) || key === 'comment'),
  ) as Record<string, string>
}

/**
 * Says what a client wants to be said of a table or view, its columns and its properties; all else
 * of it stays as it is.
 *
 * @throws AwsError where it is to become another one.
 */
export async function describeTable(
  { views, definitions }: DescriptionParts,
  caller: Caller,
  { schema, name, view }: Relation,
  { sent, is }: { sent: Fields; is: GlueTable },
): Promise<void> {
  const stored = sent.part('StorageDescriptor')
  const columns = stored.parts('Columns', { most: 10_000 })
  const docs = new Map<string, string>()
  for (const [i, one] of columns.entries()) {
    const known = is.StorageDescriptor.Columns[i]
    const isSame =
      known?.Name === one.text('Name') &&
      known.Type.replaceAll(' ', '') === one.text('Type', { most: 131_072 }).replaceAll(' ', '')
    if (!known || !isSame) throw other('columns and their types', 'by ALTER TABLE')
    const comment = one.optional('Comment', { most: 255 })
    if (comment !== undefined && comment !== known.Comment)
      docs.set(known.Name.toLowerCase(), comment)
  }
  if (stored.has('Columns') && columns.length !== is.StorageDescriptor.Columns.length)
    throw other('columns', 'by ALTER TABLE')
  const location = stored.optional('Location', { most: 2056 })
  if (location !== undefined && location.replace(/\/$/, '') !== is.StorageDescriptor.Location)
    throw other('the place of its files', 'by ALTER TABLE … RENAME TO')
  const properties = propertiesIn(sent, is)
  if (docs.size === 0 && Object.keys(properties).length === 0) return
  const named = { schema, name }
  if (view) await views.describe(caller, named, { properties, docs })
  else await definitions.describe(caller, named, { properties, docs })
}

function propertiesIn(sent: Fields, { Parameters }: GlueTable): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [key, value] of sent.texts('Parameters', { most: 512_000 })) {
    if (Parameters[key] === value) continue
    if (key !== 'comment' && !isOwn(key))
      throw other(`the parameter '${key}'`, 'where it was made, if at all')
    found[key] = value
  }
  const description = sent.optional('Description', { most: 2048 })
  const before = Parameters.comment ?? ''
  if (description !== undefined && found.comment === undefined && description !== before)
    found.comment = description
  return found
}

const other = (what: string, how: string) =>
  new AwsError(
    'InvalidInputException',
    `UpdateTable changes descriptions, comments and parameters here; ${what} change ${how}`,
  )
