import { sha256 } from '../../storage/checksum.js'
import type { GlueColumn, GlueTable, TableInput } from './client.js'

/** What a table of ours says of itself, among its parameters. */
const KEYS = {
  lake: 'moraine.lake',
  root: 'moraine.root',
  dataset: 'moraine.dataset',
  /** The commit of the log that it was last written for. */
  commit: 'moraine.commit',
  /** What it stands for: a metadata file, or a hash. */
  version: 'moraine.version',
  /** A hash of all that was written, but for parameters of others. */
  shape: 'moraine.shape',
  /** A hash of the batches that are its partitions. */
  batches: 'moraine.batches',
} as const

export const POINTER = 'metadata_location'
export const PREVIOUS_POINTER = 'previous_metadata_location'

/** The lake that a projection is of. */
export interface LakeMark {
  lake: string
  /** Where it lies: two lakes may have one name. */
  root: string
}

export interface Mark extends LakeMark {
  dataset: string
  commit: number
  version: string
  shape: string
  batches?: string | undefined
}

/** The mark of a table; `undefined` for tables of others. */
export function markOf({ Parameters }: Pick<GlueTable, 'Parameters'>): Mark | undefined {
  const at = (key: keyof typeof KEYS) => Parameters?.[KEYS[key]]
  const [lake, root, dataset, commit] = [at('lake'), at('root'), at('dataset'), at('commit')]
  if (lake === undefined || root === undefined || dataset === undefined) return undefined
  if (!/^\d{1,15}$/.test(commit ?? '')) return undefined
  const batches = at('batches')
  return {
    lake,
    root,
    dataset,
    commit: Number(commit),
    version: at('version') ?? '',
    shape: at('shape') ?? '',
    ...(batches === undefined ? {} : { batches }),
  }
}

/** Whether a mark is that of this lake. */
export const isOf = (mark: Mark | undefined, { lake, root }: LakeMark): mark is Mark =>
  mark?.lake === lake && mark.root === root

/** A table with its mark, and with parameters of others that it has had. */
export function marked(
  table: TableInput,
  mark: Omit<Mark, 'shape'>,
  before: Readonly<Record<string, string>> = {},
): TableInput {
  const others = Object.entries(before).filter(([name]) => !isOurs(name))
  const own = Object.entries({ ...mark, shape: shapeOf(table) }).flatMap(([key, value]) =>
    value === undefined ? [] : [[KEYS[key as keyof typeof KEYS], String(value)] as const],
  )
  const Parameters = Object.fromEntries([
    ...others,
    ...Object.entries(table.Parameters ?? {}),
    ...own,
  ])
  return { ...table, Parameters }
}

/** Parameters that nobody else sets on a table of ours. */
const isOurs = (name: string) =>
  name.startsWith('moraine.') ||
  ['table_type', 'EXTERNAL', 'classification', POINTER, PREVIOUS_POINTER].includes(name)

/**
 * What is written of a table, as a hash: where it is not as it was written, somebody has changed
 * it. Empty values and missing ones are alike, as Glue gives them back so.
 */
export function shapeOf(table: TableInput): string {
  const { Description, TableType, StorageDescriptor: storage, PartitionKeys } = table
  const { Columns, Location, InputFormat, OutputFormat, SerdeInfo } = storage ?? {}
  const shape = [
    Description ?? '',
    TableType ?? '',
    columnsOf(Columns),
    columnsOf(PartitionKeys),
    Location ?? '',
    InputFormat ?? '',
    OutputFormat ?? '',
    SerdeInfo?.SerializationLibrary ?? '',
    Object.entries(SerdeInfo?.Parameters ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    table.ViewOriginalText ?? '',
    table.ViewExpandedText ?? '',
    ['table_type', 'presto_view'].map((name) => table.Parameters?.[name] ?? ''),
  ]
  return sha256(JSON.stringify(shape)).slice(0, 32)
}

const columnsOf = (columns: readonly GlueColumn[] | undefined) =>
  (columns ?? []).map(({ Name, Type, Comment }) => [Name, Type ?? '', Comment ?? ''])
