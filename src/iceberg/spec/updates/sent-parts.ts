import type { SnapshotRef } from '../metadata.js'
import {
  idOf,
  integerOf,
  type Json,
  listOf,
  longOf,
  namesOf,
  objectsOf,
  textOf,
  textsOf,
  withoutNulls,
} from './json.js'
import { invalid } from './refused.js'

/*
 * Parts of metadata as clients send them. They become a part of the table: what one engine sends,
 * all others must be able to read. Iceberg's Java library opens no table in which a field is null
 * that may be left out, or a value of a summary is a number.
 */

/** A snapshot (REST specification, Snapshot). */
export function snapshotFrom(json: Json): Json {
  const sent = withoutNulls(json)
  const id = longOf(sent, 'snapshot-id')
  integerOf(sent, 'timestamp-ms')
  if (sent['manifest-list'] !== undefined) textOf(sent, 'manifest-list')
  else if (sent.manifests !== undefined) namesOf(sent, 'manifests')
  else throw invalid(`Snapshot ${id} has no manifest list`)
  if (sent['parent-snapshot-id'] !== undefined) longOf(sent, 'parent-snapshot-id')
  if (sent['schema-id'] !== undefined) idOf(sent, 'schema-id')
  return sent.summary === undefined ? sent : { ...sent, summary: textsOf(sent, 'summary') }
}

const LONGEST = 2 ** 31 - 1
/** How long a reference protects snapshots: how many of them, and for how many milliseconds. */
export const RETENTION = ['min-snapshots-to-keep', 'max-snapshot-age-ms', 'max-ref-age-ms'] as const

/** A branch or tag (REST specification, SnapshotReference). */
export function refFrom(json: Json): SnapshotRef {
  const sent = withoutNulls(json)
  const type = textOf(sent, 'type')
  if (type !== 'branch' && type !== 'tag') throw invalid(`Invalid type of a reference: ${type}`)
  const ref: SnapshotRef = { 'snapshot-id': longOf(sent, 'snapshot-id'), type }
  for (const name of RETENTION) {
    if (sent[name] === undefined) continue
    if (type === 'tag' && name !== 'max-ref-age-ms') throw invalid(`A tag can have no ${name}`)
    const value = Number(longOf(sent, name))
    const most = name === 'min-snapshots-to-keep' ? LONGEST : Number.POSITIVE_INFINITY
    if (value < 1 || value > most)
      throw invalid(`${name} is ${value}, and must be a number from 1 up`)
    // Of a time that never comes, any that is as far away is the same.
    ref[name] = Math.min(value, Number.MAX_SAFE_INTEGER)
  }
  return ref
}

/** A file of statistics (REST specification, StatisticsFile). */
export function statisticsFrom(json: Json): Json {
  const sent = partitionStatisticsFrom(json)
  longOf(sent, 'file-footer-size-in-bytes')
  const blobs = objectsOf(sent, 'blob-metadata').map((one) => {
    const blob = withoutNulls(one)
    textOf(blob, 'type')
    for (const name of ['snapshot-id', 'sequence-number']) longOf(blob, name)
    for (const id of listOf(blob, 'fields')) idOf({ fields: id }, 'fields')
    return blob.properties === undefined
      ? blob
      : { ...blob, properties: textsOf(blob, 'properties') }
  })
  return { ...sent, 'blob-metadata': blobs }
}

/** A file of statistics of partitions (REST specification, PartitionStatisticsFile). */
export function partitionStatisticsFrom(json: Json): Json {
  const sent = withoutNulls(json)
  for (const name of ['snapshot-id', 'file-size-in-bytes']) longOf(sent, name)
  textOf(sent, 'statistics-path')
  return sent
}
