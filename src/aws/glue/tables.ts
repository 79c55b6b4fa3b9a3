import { Table } from '../../iceberg/table.js'
import type { TableState } from '../../log/commit.js'
import type { Storage } from '../../storage/storage.js'
import type { TableInput } from './client.js'
import { POINTER, PREVIOUS_POINTER } from './marks.js'
import { glueType } from './types.js'

/** What readers find who do not know Iceberg. */
const TABLE_TYPE = { table_type: 'ICEBERG', EXTERNAL: 'TRUE' }

/**
 * An Iceberg table as Iceberg's own `GlueCatalog` registers it: readers follow the pointer, and see
 * columns and comments in Glue's console.
 *
 * @param before the pointer that it takes the place of.
 */
export async function icebergTable(
  storage: Storage,
  name: string,
  state: TableState,
  before: string | undefined,
): Promise<TableInput> {
  const table = await Table.load(storage, state)
  const { comment, owner } = table.metadata.properties
  const location = storage.locate(state.metadata)
  return {
    Name: name,
    ...(comment ? { Description: comment } : {}),
    ...(owner ? { Owner: owner } : {}),
    TableType: 'EXTERNAL_TABLE',
    Parameters: {
      ...TABLE_TYPE,
      [POINTER]: location,
      ...(before === undefined || before === location ? {} : { [PREVIOUS_POINTER]: before }),
    },
    StorageDescriptor: {
      Location: table.metadata.location,
      Columns: table.schema.fields.map(({ id, name: column, type, doc, required }) => ({
        Name: column,
        Type: glueType(type),
        ...(doc ? { Comment: doc } : {}),
        Parameters: {
          'iceberg.field.id': String(id),
          'iceberg.field.optional': String(!required),
          'iceberg.field.current': 'true',
        },
      })),
    },
  }
}
