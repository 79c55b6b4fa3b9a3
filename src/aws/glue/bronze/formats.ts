import type { GlueColumn, StorageDescriptor } from '../client.js'

/** How rows of bronze lie in files. */
export type FileFormat = 'parquet' | 'avro' | 'csv' | 'jsonl'

/** Whether a text is the name of a format. */
export const isFormat = (text: string | undefined): text is FileFormat =>
  text !== undefined && text in SERDES

const SERDES: Readonly<Record<FileFormat, string>> = {
  parquet: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
  avro: 'org.apache.hadoop.hive.serde2.avro.AvroSerDe',
  csv: 'org.apache.hadoop.hive.serde2.OpenCSVSerde',
  jsonl: 'org.openx.data.jsonserde.JsonSerDe',
}

/**
 * Files are listed by name: what else lies in a batch's folder, its manifest and originals, is no
 * rows. Delta Lake's manifests are read by Athena in the same way:
 * https://docs.delta.io/latest/presto-integration.html
 */
const SYMLINKS = 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
const OUTPUT = 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'

/** How files in a format are read, which a list at `location` names. */
export function descriptorOf(
  format: FileFormat,
  columns: readonly GlueColumn[],
  location: string,
): StorageDescriptor {
  return {
    Location: location,
    Columns: [...columns],
    InputFormat: SYMLINKS,
    OutputFormat: OUTPUT,
    SerdeInfo: { SerializationLibrary: SERDES[format], Parameters: settings(format, columns) },
  }
}

function settings(format: FileFormat, columns: readonly GlueColumn[]): Record<string, string> {
  if (format === 'avro') return { 'avro.schema.literal': avroSchema(columns) }
  if (format === 'csv')
    return { separatorChar: ',', quoteChar: '"', escapeChar: '"', 'skip.header.line.count': '1' }
  return { 'serialization.format': '1' }
}

const avroSchema = (columns: readonly GlueColumn[]) =>
  JSON.stringify({
    type: 'record',
    name: 'row',
    fields: columns.map(({ Name, Type }) => ({
      name: Name,
      type: ['null', Type === 'bigint' ? 'long' : 'string'],
      default: null,
    })),
  })
