import type { Field } from '../define/types/column-type.js'
import { ForeignTable } from '../iceberg/foreign.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { decimalOf } from '../iceberg/spec/types.js'
import type { TableVersion } from '../iceberg/version.js'
import type { LakeState } from '../log/commit.js'
import type { LogReader } from '../log/reader.js'
import { type TableRef, tiers } from '../sql/guard.js'
import { Batches, bronzeFiles, bronzeLineage, columnsOf } from '../step/batches.js'
import { Naming } from '../step/naming.js'
import { tableFiles } from '../step/table-files.js'
import { sha256 } from '../storage/checksum.js'
import type { Staging } from '../storage/staging.js'
import type { Storage } from '../storage/storage.js'
import { locationsOf, type RelationFiles } from './protocol.js'
import type { Pushed } from './pushdown.js'
import { isSystem, scanSystem, type WriteRows } from './system/scan.js'
import { externalTable, findName, ownTable, pointerOf } from './tables.js'

/**
 * A table with its files as the query's process opens them, which is nothing else: on this machine,
 * or where they lie.
 */
export async function atHand(
  staging: Staging,
  { relation, sizes, write }: Scan,
  stays: (file: DataFile | undefined) => boolean,
  scratch: () => Promise<string>,
): Promise<{ relation: RelationFiles; inPlace: boolean }> {
  if (write) {
    const { location, longest } = await write(await scratch())
    return { relation: { ...relation, files: [{ location }], longest }, inPlace: false }
  }
  const all = locationsOf(relation.files)
  const inPlace = new Set(all.filter((l) => stays(sizes.get(l)) && staging.isReadInPlace(l)))
  await staging.fetch(all.filter((location) => !inPlace.has(location)))
  const here = (location: string) =>
    inPlace.has(location) ? location : `file://${staging.localPath(location)}`
  // What files share is shared afterwards, too.
  const shared = [...new Set(relation.files.map(({ deletes = [] }) => deletes))]
  const moved = new Map(
    [...new Set(shared.flat())].map((one) => [one, { ...one, location: here(one.location) }]),
  )
  const lists = new Map(shared.map((list) => [list, list.map((one) => moved.get(one) ?? one)]))
  const files = relation.files.map(({ location, named = location, deletes, ...file }) => ({
    ...file,
    location: here(location),
    ...(relation.schema ? { named } : {}),
    ...(deletes ? { deletes: lists.get(deletes) ?? [] } : {}),
  }))
  return { relation: { ...relation, files }, inPlace: inPlace.size > 0 }
}

/** Bytes of a file that are sooner brought whole than looked into. */
const SMALL = 2 ** 20
/** Bytes of a table's files from which on copies would be too much of the disk. */
const LARGE = 2 ** 30

/**
 * Whether a file is better read where it lies than copied: where most of it is not asked for, or
 * copies would be large.
 */
export function isWorthIt(
  { bytes }: Scan,
  file: DataFile | undefined,
  ids: AskedColumns,
  always = false,
): boolean {
  if (always || bytes > LARGE) return true
  if (!file || !ids || file.bytes < SMALL) return false
  const asked = ids.reduce((sum, id) => sum + (file.columns.get(id)?.size ?? 0), 0)
  return asked < file.bytes / 2
}

/** Ids of a table's columns that a query reads; `undefined`: all of it may be read. */
export type AskedColumns = readonly number[] | undefined

/** What a query needs of one table: files, out of how many, of how many bytes. */
export interface Scan {
  relation: RelationFiles
  /** What is known of data files, by location. */
  sizes: ReadonlyMap<string, DataFile>
  total: number
  bytes: number
  /** What version of the table this is. */
  version: string
  /** Source columns of its partitions, in lower case. */
  partitions: readonly string[]
  /** Of a table that has no files: what makes one. */
  write?: WriteRows
}

/** The commits of the branch that is asked. */
export type LogEntries = Pick<LogReader, 'entry'>

interface AskedScan {
  table: TableRef
  declared: readonly Field[] | undefined
  /** Conditions of which those on columns of partitions count. */
  ofPartitions?: readonly Pushed[] | undefined
  /** The log of the branch that is asked. */
  log: LogEntries
  /** Tells whether a file is one that whoever asks may not have opened, whatever names it. */
  isOther: ((path: string) => boolean) | undefined
  /** Throws why nothing more is to be read, where that is so. */
  goesOn: () => void
}

export async function scan(
  storage: Storage,
  state: LakeState,
  { table: asked, declared, ofPartitions = [], log, goesOn, isOther }: AskedScan,
  predicates: readonly Pushed[],
): Promise<Scan> {
  const { tier, name } = asked
  if (tier === 'bronze') return scanBronze(storage, state, name)
  if (isSystem(asked)) {
    const clear = predicates.filter(({ kind }) => kind !== 'unclear')
    return scanSystem({ storage, state, log, goesOn }, name, clear)
  }
  const table = tiers.includes(tier)
    ? await ownTable(storage, state, asked)
    : await externalTable(storage, state, asked, declared)
  const sources = partitionSources(table)
  const chosen = ofPartitions.filter(({ column }) => sources.includes(column.toLowerCase()))
  const certain = [...predicates, ...chosen].filter((one) => isCertain(one, table))
  const tasks = await table.plan(certain)
  if (table instanceof ForeignTable) await table.checkFiles(tasks, isOther)
  const files = tableFiles(storage, table, tasks)
  return {
    relation: { tier, name, schema: table.schema, columns: [], files },
    sizes: new Map(tasks.map(({ file }, i) => [files[i]?.location ?? '', file])),
    total: (await table.totals).files,
    bytes: tasks.reduce((sum, { file }) => sum + file.bytes, 0),
    version: versionOf(pointerOf(state, asked)),
    partitions: sources,
  }
}

/** What stands for a version of a table: all that the log says of it. */
function versionOf(pointer: unknown): string {
  const text = JSON.stringify(pointer, (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )
  return sha256(text ?? '')
}

/** The columns that values of a table's partitions are made of. */
function partitionSources({ metadata, schema }: TableVersion): string[] {
  const spec = metadata['partition-specs'].find(
    (one) => one['spec-id'] === metadata['default-spec-id'],
  )
  const sources = (spec?.fields ?? []).map((field) => field['source-id'])
  return schema.fields
    .filter(({ id }) => sources.includes(id))
    .map(({ name }) => name.toLowerCase())
}

/** Whether bounds of a column tell of a predicate what the engine finds. */
function isCertain(predicate: Pushed, table: TableVersion): boolean {
  const { column, values, kind } = predicate
  if (kind === 'unclear') return false
  const found = table.schema.fields.find(({ name }) => {
    return name.toLowerCase() === column.toLowerCase()
  })
  const type = typeof found?.type === 'string' ? found.type : ''
  // A text that is compared with a number is compared as a number.
  if (type === 'string') return kind === 'text'
  // The engine passes over the zone of a text that is compared with times without one.
  if (type === 'timestamp' && values.some((text) => ZONE.test(text))) return false
  const digits = values.reduce((most, text) => Math.max(most, text.replace(/\D/g, '').length), 0)
  const alone = kind === 'double' && values.length === 1
  // Of more digits, the engine may make another number than the nearest one.
  if (type === 'float') return alone || digits <= SINGLE
  if (type === 'double') return alone || kind === 'text' || digits <= DOUBLE
  const precision = decimalOf(type)?.precision ?? (/^(int|long)$/.test(type) ? 0 : undefined)
  // Numbers are in the same order as `DOUBLE` where that keeps all of their digits.
  const areKept = precision === undefined || (digits <= DOUBLE && precision <= DOUBLE)
  return kind !== 'double' || areKept
}

/** An offset from UTC behind a day, or a time of one. */
const ZONE = /^\d{4,6}-\d\d-\d\d.*[+-]\d/

/** Digits of a number that a `FLOAT` and a `DOUBLE` always keep. */
const [SINGLE, DOUBLE] = [6, 15]

async function scanBronze(storage: Storage, state: LakeState, name: string) {
  const known = findName(state, `bronze.${name}`)
  const pointers = state.batches[known] ?? []
  const manifests = await new Batches(storage).manifests(pointers)
  const naming = pointers.some(({ collidingNames: names }) => names)
    ? Naming.of(manifests)
    : undefined
  const files = bronzeFiles(storage, manifests, false, naming)
  const columns = [...bronzeLineage, ...(naming?.columnsOf(manifests) ?? columnsOf(manifests))]
  return {
    relation: { tier: 'bronze', name, schema: null, columns, files },
    sizes: new Map(),
    total: files.length,
    bytes: manifests.flatMap((m) => m.files).reduce((sum, file) => sum + file.bytes, 0),
    version: versionOf(pointers),
    partitions: [],
  }
}
