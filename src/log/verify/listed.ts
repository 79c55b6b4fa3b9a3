import { LIST_CHECKSUM } from '../../iceberg/spec/checksums.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { Snapshot } from '../../iceberg/spec/metadata.js'
import type { Table } from '../../iceberg/table.js'

/** The list of a snapshot's manifests. */
export function listFile(table: Table, snapshot: Snapshot) {
  return {
    path: table.pathOf(snapshot['manifest-list']),
    sha256: snapshot.summary?.[LIST_CHECKSUM],
  }
}

/** What a manifest lists. */
export interface Listed {
  rows: number
  /** Data files. */
  paths: readonly string[]
  /** Files of positions of deleted rows. */
  deletes: readonly Pick<DataFile, 'referenced' | 'rows'>[]
}

export function listedIn(files: readonly DataFile[]): Listed {
  const data = files.filter(({ content = 'data' }) => content === 'data')
  return {
    rows: data.reduce((sum, { rows }) => sum + rows, 0),
    paths: data.map(({ path }) => path),
    deletes: files
      .filter(({ content }) => content === 'position deletes')
      .map(({ referenced, rows }) => ({ rows, ...(referenced ? { referenced } : {}) })),
  }
}

/**
 * Rows that manifests add up to. Other engines leave lists of deleted rows behind whose data files
 * they have rewritten: those delete nothing.
 */
export function rowsOf(manifests: readonly Listed[]): number {
  const sum = (counts: readonly number[]) => counts.reduce((total, n) => total + n, 0)
  const deletes = manifests.flatMap((manifest) => manifest.deletes)
  const there = new Set(deletes.length > 0 ? manifests.flatMap(({ paths }) => paths) : [])
  const deleted = deletes
    .filter(({ referenced }) => referenced === undefined || there.has(referenced))
    .map(({ rows }) => rows)
  return sum(manifests.map(({ rows }) => rows)) - sum(deleted)
}
