import type { DeleteFile, TableFile } from '../engine/engine.js'
import { fileType } from '../engine/file-type.js'
import { MoraineError } from '../errors.js'
import type { ScanTask } from '../iceberg/deletes.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { hasNameMapping, namesInFiles } from '../iceberg/spec/name-mapping.js'
import type { TableVersion } from '../iceberg/version.js'
import type { Storage } from '../storage/storage.js'

/** A data file and lists of positions: of the file's rows only those are meant. */
export interface PartOfFile extends ScanTask {
  only?: readonly DataFile[]
}

/** Files of a table as an engine opens them. */
export function tableFiles(
  storage: Storage,
  table: TableVersion,
  tasks: readonly PartOfFile[],
): TableFile[] {
  const locate = (file: DataFile) => storage.locate(table.pathOf(file.path))
  const deletesOf = (file: DataFile): DeleteFile => {
    if (file.content === 'position deletes') return { location: locate(file) }
    const fields = (file.equalityIds ?? []).map((id) => {
      const field = table.schema.fields.find((f) => f.id === id)
      if (!field)
        throw new MoraineError(
          'source',
          `${table.file} has rows that are deleted by field ${id}, which is not among the columns that are read`,
          { hint: 'Declare that column as well, or have the table compacted.' },
        )
      return { id, name: field.name, type: fileType(field.type) }
    })
    return { location: locate(file), fields }
  }
  // Many data files may have the same lists, or lists of the same files.
  const known = new Map<DataFile, DeleteFile>()
  const lists = new Map<readonly DataFile[], readonly DeleteFile[]>()
  const listOf = (deletes: readonly DataFile[]) =>
    made(lists, deletes, () => deletes.map((file) => made(known, file, () => deletesOf(file))))
  // Other engines may call columns otherwise in their files, and leave those out that are empty:
  // only what has a checksum is of our own.
  const isPlain = ({ sha256 }: DataFile) =>
    !table.isForeign && table.metadata.schemas.length === 1 && sha256 !== undefined
  const { properties } = table.metadata
  const names = table.isForeign && hasNameMapping(properties) ? namesInFiles(properties) : undefined
  return tasks.map(({ file, deletes, only }) => ({
    location: locate(file),
    ...(names ? { names } : {}),
    ...(isPlain(file) ? { plain: true } : {}),
    ...(file.sha256 === undefined ? { foreign: true } : {}),
    ...(deletes.length > 0 || only ? { named: file.path } : {}),
    ...(deletes.length > 0 ? { deletes: listOf(deletes) } : {}),
    ...(only ? { only: only.map(deletesOf) } : {}),
  }))
}

function made<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const found = known.get(key) ?? make()
  known.set(key, found)
  return found
}
