const optional = (id: number, name: string, type: string) => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})

/** The schema of lists of manifests, as writers of Iceberg's format version 1 have it. */
export const manifestsOfVersion1 = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'partition_spec_id', type: 'int', 'field-id': 502 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
    optional(504, 'added_files_count', 'int'),
    optional(505, 'existing_files_count', 'int'),
    optional(506, 'deleted_files_count', 'int'),
    optional(512, 'added_rows_count', 'long'),
    optional(513, 'existing_rows_count', 'long'),
    optional(514, 'deleted_rows_count', 'long'),
  ],
}
