import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { AnyDataset, AnyInput, Silver, Sql } from '../define/model.js'
import type { Partition } from '../define/partition.js'
import { quoteName, reference, renderSql } from '../define/sql/sql.js'
import { type Field, typeName } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { Table } from '../iceberg/table.js'
import type { LakeState } from '../log/commit.js'
import { ownValue } from '../own-value.js'
import { type ColumnLineage, type ColumnSource, columnLineage } from '../plan/lineage.js'
import { bindSql } from '../run/bind/bind.js'
import { Batches, bronzeLineage } from '../step/batches.js'
import { Externals } from '../step/external/externals.js'
import type { Storage } from '../storage/storage.js'
import { type MetadataFile, type MetadataFiles, metadataOf } from './metadata-file.js'

/** A column as the catalog shows it. */
export interface CatalogColumn {
  name: string
  type: string
  description: string | null
  /** The columns that its values are computed from. */
  from: ColumnSource[]
  /** The columns that are computed from it. */
  to: ColumnSource[]
}

/** A dataset as the catalog shows it: what its definition says, and what the lake holds of it. */
export interface CatalogEntry {
  name: string
  tier: string
  description: string | null
  owner: string | null
  tags: readonly string[]
  columns: CatalogColumn[]
  key: readonly string[]
  partitions: string[]
  from: string[]
  to: string[]
  /** `null` for what is not built yet. */
  rows: number | null
  bytes: number | null
  files: number | null
  /** When its rows last changed; ISO, UTC. */
  changed: string | null
  /** It is stored as a query: there are no rows of its own. */
  view?: true
  /** Why it can't be read: another engine keeps it. */
  problem?: string
  location: string | null
  /** Of what another engine keeps: the levels of its namespace. */
  namespace?: readonly string[]
  metadata: MetadataFile | null
  companions?: MetadataFiles['companions']
}

/**
 * Describes all datasets of a lake as it is in a state: no source is looked at, and no data is
 * read.
 */
export async function describeLake(
  session: Session,
  lake: Lake,
  storage: Storage,
  state: LakeState,
): Promise<CatalogEntry[]> {
  const batches = new Batches(storage)
  const externals = await Externals.of(storage, state, lake.datasets, { files: false })
  const { columns } = await bindSql(
    session,
    new Map(lake.datasets.map((dataset) => [dataset, 'all'])),
    { view: externals.on(state), batches, externals },
  )
  const namesOf = new Map(
    [...lake.externals, ...lake.datasets].map((d) => [
      fullName(d).toLowerCase(),
      namesIn(d, columns.get(d) ?? []),
    ]),
  )
  const columnsOf = (table: string) => namesOf.get(table.toLowerCase()) ?? []
  const entries: CatalogEntry[] = []
  for (const dataset of lake.datasets) {
    const fields = columns.get(dataset) ?? []
    const lineage = await lineageOf(session, dataset, columnsOf)
    const readers = lake.datasets.filter((other) => inputsOf(other).includes(dataset))
    entries.push({
      name: fullName(dataset),
      tier: dataset.tier,
      description: dataset.about.description ?? null,
      owner: dataset.about.owner ?? null,
      tags: dataset.about.tags ?? [],
      columns: fields
        .filter(({ name }) => dataset.tier !== 'bronze' || !bronzeLineage.includes(name))
        .map(({ name, type, description }) => ({
          name,
          type: typeName(type),
          description: description ?? null,
          from: [...(lineage.get(name.toLowerCase()) ?? [])],
          to: [],
        })),
      key: dataset.tier === 'silver' ? dataset.key : [],
      partitions: dataset.tier === 'bronze' ? [] : dataset.partitionBy.map(partitionText),
      ...(dataset.tier === 'gold' && dataset.view ? { view: true as const } : {}),
      from: inputsOf(dataset).map(fullName),
      to: readers.map(fullName),
      ...(await heldOf(dataset, storage, state, batches)),
      ...metadataOf(storage, state, fullName(dataset)),
    })
  }
  linkBack(entries)
  return entries
}

/** `month(ordered_at)`, `bucket(8, id)`. */
function partitionText({ transform, column, width }: Partition): string {
  if (transform === 'identity') return column
  return `${transform}(${width === undefined ? '' : `${width}, `}${column})`
}

function namesIn(dataset: AnyInput, fields: readonly Field[]): string[] {
  const own = fields.map(({ name }) => name)
  return dataset.tier === 'bronze' && own.length === bronzeLineage.length ? [] : own
}

/** Tells each column which others are computed from it. */
function linkBack(entries: readonly CatalogEntry[]): void {
  const known = new Map(
    entries.flatMap(({ name, columns }) =>
      columns.map((column) => [`${name}.${column.name}`.toLowerCase(), column] as const),
    ),
  )
  for (const { name, columns } of entries)
    for (const column of columns)
      for (const { table, column: from } of column.from)
        known.get(`${table}.${from}`.toLowerCase())?.to.push({ table: name, column: column.name })
}

/** From which columns of others each column of a dataset is computed. */
export async function lineageOf(
  session: Session,
  dataset: AnyDataset,
  columnsOf: (table: string) => readonly string[],
): Promise<ColumnLineage> {
  if (dataset.tier === 'bronze') return new Map()
  if (dataset.tier === 'gold')
    return columnLineage(await session.parser.tree(renderSql(dataset.query)), columnsOf)
  const found: ColumnLineage = new Map()
  for (const name of Object.keys(dataset.schema.shape)) {
    const chosen = ownValue(dataset.select, name) ?? name
    found.set(name.toLowerCase(), await silverSources(session, dataset, chosen, columnsOf))
  }
  return found
}

async function silverSources(
  session: Session,
  { from }: Silver,
  chosen: string | Sql,
  columnsOf: (table: string) => readonly string[],
): Promise<ColumnSource[]> {
  const expression = typeof chosen === 'string' ? quoteName(chosen) : renderSql(chosen)
  const all = await Promise.all(
    from.map(async (input) => {
      const sql = `SELECT (\n${expression}\n) AS c FROM ${reference(input)} AS i`
      const sources = columnLineage(await session.parser.tree(sql), columnsOf).get('c') ?? []
      return sources.map((source) =>
        source.column === chosen ? { ...source, column: chosen } : source,
      )
    }),
  )
  return all.flat()
}

async function heldOf(
  dataset: AnyDataset,
  storage: Storage,
  state: LakeState,
  batches: Batches,
): Promise<Pick<CatalogEntry, 'rows' | 'bytes' | 'files' | 'changed' | 'location'>> {
  const name = fullName(dataset)
  const none = { rows: null, bytes: null, files: null, changed: null, location: null }
  if (dataset.tier === 'bronze') {
    const pointers = state.batches[name]
    const last = pointers?.at(-1)
    if (!pointers || !last) return none
    const sum = (of: 'rows' | 'bytes') =>
      pointers.reduce((total, pointer) => total + pointer[of], 0)
    const { created } = await batches.manifest(last)
    const location = storage.locate(`bronze/${dataset.name}`)
    return {
      rows: sum('rows'),
      bytes: sum('bytes'),
      files: pointers.length,
      changed: created,
      location,
    }
  }
  const table = state.tables[name]
  if (!table) return none
  const { rows, bytes, files } = table
  const { lastUpdated, location } = await Table.load(storage, table)
  return { rows, bytes, files, changed: new Date(lastUpdated).toISOString(), location }
}

/**
 * The datasets that a text is about: a word of their names, columns, descriptions, owners or tags.
 */
export function searchEntries(entries: readonly CatalogEntry[], text: string): CatalogEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const score = (entry: CatalogEntry) => {
    const { name, description, owner, tags, columns } = entry
    const about = [description, owner, ...tags].join(' ').toLowerCase()
    const inside = columns
      .map((c) => `${c.name} ${c.description ?? ''}`)
      .join(' ')
      .toLowerCase()
    const of = (word: string) =>
      (name.toLowerCase().includes(word) ? 4 : 0) +
      (about.includes(word) ? 2 : 0) +
      (inside.includes(word) ? 1 : 0)
    const scores = words.map(of)
    return scores.every((points) => points > 0) ? scores.reduce((a, b) => a + b, 0) : 0
  }
  return entries
    .map((entry) => ({ entry, points: score(entry) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .map(({ entry }) => entry)
}
