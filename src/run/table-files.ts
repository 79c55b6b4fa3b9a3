import { sqlType } from '../define/sql-type.js'
import type { DeleteFile, TableFile } from '../engine/engine.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { ScanTask, Table } from '../iceberg/table.js'
import type { Storage } from '../storage/storage.js'

/** Files of a table as an engine opens them. */
export function tableFiles(
  storage: Storage,
  table: Table,
  tasks: readonly ScanTask[],
): TableFile[] {
  const locate = (file: DataFile) => storage.locate(table.pathOf(file.path))
  const deletesOf = (file: DataFile): DeleteFile => {
    if (file.content === 'position deletes') return { location: locate(file) }
    const fields = (file.equalityIds ?? []).map((id) => {
      const field = table.schema.fields.find((f) => f.id === id)
      if (!field) throw new Error(`deletes by field ${id}, which the table does not have any more`)
      return { id, name: field.name, type: sqlType(toColumnType(field.type)) }
    })
    return { location: locate(file), fields }
  }
  return tasks.map(({ file, deletes }) => ({
    location: locate(file),
    ...(deletes.length > 0 ? { named: file.path, deletes: deletes.map(deletesOf) } : {}),
  }))
}
