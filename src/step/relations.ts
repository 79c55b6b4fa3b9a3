import { fullName, schemaOf } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyInput } from '../define/model.js'
import type { Partition } from '../define/partition.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { BatchParts, BronzeFile, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import type { TableVersion } from '../iceberg/version.js'
import type { BatchPointer, TableState } from '../log/commit.js'
import type { View } from '../plan/decision.js'
import { sinceFull } from '../plan/offsets.js'
import type { Storage } from '../storage/storage.js'
import { Batches, bronzeFiles, bronzeLineage, columnsOf, type OriginFile } from './batches.js'
import { Naming } from './naming.js'
import { tableFiles } from './table-files.js'
import { type TableSource, tablesIn } from './task/table-source.js'

/** Columns that every silver table has beside those of its schema. */
export const silverLineage: readonly Field[] = [
  { name: '_loaded_at', type: { kind: 'timestamptz' } },
  { name: '_batch', type: { kind: 'string' } },
]

/** A relation that was made known, or is being made so, to an instance of the engine. */
interface Definition {
  instance: number
  made: Promise<void>
}

/** New names of columns, by the old ones. */
export type Renamed = Readonly<Record<string, string>> | undefined

/**
 * Makes datasets known to an engine under their names, each at the version of a view. What a run
 * has built itself is seen by its later steps before anybody else sees it.
 */
export class Relations {
  private readonly staged: Record<string, TableState> = {}
  private readonly tables = new Map<string, Promise<TableVersion>>()
  private readonly defined = new Map<string, Definition>()

  /**
   * @param batches what batches consist of.
   * @param source tells what versions of tables consist of: what lies in storage, unless it is
   *   told.
   */
  constructor(
    private readonly storage: Storage,
    private readonly base: View,
    readonly batches = new Batches(storage),
    private readonly source: TableSource = tablesIn(storage),
  ) {}

  /** The view with what was built since. */
  get view(): View {
    return { ...this.base, tables: { ...this.base.tables, ...this.staged } }
  }

  /** Shows a new version of a table to later steps. */
  stage(name: string, state: TableState): void {
    this.staged[name] = state
    this.defined.delete(name)
  }

  /** Defines datasets in the engine. */
  async define(session: Session, datasets: readonly AnyInput[]): Promise<void> {
    for (const dataset of datasets) await this.defineOne(session, dataset)
  }

  /** Defines the tables of all versions of datasets. */
  async defineHistories(session: Session, datasets: readonly AnyInput[]): Promise<void> {
    for (const { name } of datasets) {
      const full = `history.${name}`
      await this.defineOnce(session, full, async () =>
        session.define('history', name, await this.tableRelation(session, full)),
      )
    }
  }

  private defineOne(session: Session, dataset: AnyInput): Promise<void> {
    return this.defineOnce(session, fullName(dataset), async () =>
      session.define(schemaOf(dataset), dataset.name, await this.relation(session, dataset)),
    )
  }

  /**
   * Defines something unless the session's instance of the engine knows it. What the session of
   * another step has failed at, perhaps as that step was stopped, is tried by this one.
   */
  private async defineOnce(
    session: Session,
    name: string,
    define: () => Promise<void>,
  ): Promise<void> {
    for (;;) {
      const known = this.defined.get(name)
      if (known?.instance !== session.instance) break
      const failed = await known.made.then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      if (!failed) return
      const { error } = failed
      // What storage has not answered, or is damaged, is so for all of them.
      if (error instanceof MoraineError && error.kind !== 'engine') throw error
    }
    const one = { instance: session.instance, made: define() }
    this.defined.set(name, one)
    one.made.catch(() => {
      if (this.defined.get(name) === one) this.defined.delete(name)
    })
    await one.made
  }

  private async relation(session: Session, dataset: AnyInput): Promise<string> {
    if (dataset.tier === 'gold' && dataset.view) {
      await this.define(session, inputsOf(dataset))
      return renderSql(dataset.query)
    }
    if (dataset.tier !== 'bronze') return this.tableRelation(session, fullName(dataset))
    const all = this.base.batches[fullName(dataset)] ?? []
    const declared = dataset.from.columns ?? []
    const { sql, columns } = await this.bronzeRelation(session, sinceFull(all), declared)
    // Columns that only earlier full extracts had are still known.
    const known = new Set(columns.map((column) => column.toLowerCase()))
    const others = columnsOf(await this.batches.manifests(all)).filter(
      (column) => !known.has(column.toLowerCase()),
    )
    const nulls = others.map((column) => `, CAST(NULL AS VARCHAR) AS ${quoteName(column)}`)
    return nulls.length > 0 ? `SELECT *${nulls.join('')} FROM (${sql})` : sql
  }

  /** SQL for the rows of bronze batches, and the columns of their files. */
  async bronzeRelation(
    session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }> {
    const manifests = await this.batches.manifests(pointers)
    const naming = await this.naming(pointers)
    const files = bronzeFiles(this.storage, manifests, false, naming)
    await session.files.hold(files)
    if (files.length > 0) {
      const columns = naming?.columnsOf(manifests) ?? columnsOf(manifests)
      const shown = [...bronzeLineage, ...columns].map(quoteName).join(', ')
      return { sql: `SELECT ${shown} FROM (${session.files.batches(files)})`, columns }
    }
    return this.emptyBatches(pointers, declared)
  }

  /** The same columns, and no rows. */
  protected async emptyBatches(
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }> {
    const own = pointers.length > 0 ? await this.batchColumns(pointers) : [...declared]
    const columns = [...bronzeLineage, ...own].map((column) => {
      const type = column === '_source_line' ? 'BIGINT' : 'VARCHAR'
      return `CAST(NULL AS ${type}) AS ${quoteName(column)}`
    })
    return { sql: `SELECT ${columns.join(', ')} WHERE false`, columns: own }
  }

  /** All columns that bronze batches of a dataset have. */
  async batchColumns(pointers: readonly BatchPointer[]): Promise<string[]> {
    const manifests = await this.batches.manifests(pointers)
    return (await this.naming(pointers))?.columnsOf(manifests) ?? columnsOf(manifests)
  }

  /** What columns are called where names fall together, by all batches of their dataset. */
  async naming(pointers: readonly BatchPointer[]): Promise<Naming | undefined> {
    const [first] = pointers
    const all = (first && this.view.batches[first.dataset]) ?? pointers
    if (!all.some(({ collidingNames: names }) => names)) return undefined
    return Naming.of(await this.batches.manifests(all))
  }

  /**
   * SQL for the rows of bronze batches as silver reads them: in parts, and where `marked`, with
   * `_superseded` where a newer version of their file is among the batches.
   *
   * @param chosen those of {@link bronzeFiles} that are meant, where not all are.
   */
  async bronzeParts(
    session: Session,
    pointers: readonly BatchPointer[],
    wanted: ReadonlyMap<string, string>,
    marked: boolean,
    chosen?: readonly BronzeFile[],
  ): Promise<BatchParts> {
    const files = chosen ?? (await this.bronzeFiles(pointers, marked))
    await session.files.hold(files)
    return session.files.batchParts(files, wanted)
  }

  /** The files of bronze batches, and what of each batch is in which. */
  async bronzeFiles(pointers: readonly BatchPointer[], marked: boolean): Promise<OriginFile[]> {
    const manifests = await this.batches.manifests(pointers)
    return bronzeFiles(this.storage, manifests, marked, await this.naming(pointers))
  }

  /** SQL for all rows of a table as the view has it. */
  async tableRelation(session: Session, name: string): Promise<string> {
    const table = await this.table(name)
    if (!table) return 'SELECT NULL AS "not built yet" WHERE false'
    return session.tables.scan(table.schema, tableFiles(this.storage, table, await table.plan()))
  }

  /** The Iceberg table behind a name, if it was ever built. */
  async table(name: string): Promise<TableVersion | undefined> {
    const state = this.view.tables[name]
    return state && this.version(state)
  }

  /** The same for who writes new versions of it. */
  async stored(name: string): Promise<Table | undefined> {
    const table = await this.table(name)
    if (table && !(table instanceof Table)) throw new Error(`${name} is not read from storage`)
    return table
  }

  /** A table as it stands, with the columns and names that it is about to have. */
  async tableAs(
    name: string,
    columns: readonly Field[],
    partitions: readonly Partition[],
    renamed: Renamed,
  ): Promise<TableVersion | undefined> {
    const table = await this.table(name)
    return table?.reshape({ columns, partitions, ...(renamed ? { renamed } : {}) })
  }

  /** A version that was there before, by its metadata file; `undefined` where it is gone. */
  async earlier(metadata: string): Promise<TableVersion | undefined> {
    return (await this.source.has(metadata)) ? this.version({ metadata }) : undefined
  }

  /** A version of a table by its metadata file; each is read once. */
  private version({ metadata, sha256 }: TablePointer): Promise<TableVersion> {
    const known = this.tables.get(metadata)
    if (known) return known
    const loaded = this.source.load({ metadata, ...(sha256 ? { sha256 } : {}) })
    this.tables.set(metadata, loaded)
    // What could not be read may be there the next time.
    loaded.catch(() => this.tables.delete(metadata))
    return loaded
  }
}

/**
 * Datasets with the columns that they have, and no rows: none of their files is brought to this
 * machine for what needs no more. For an engine of their own, as they have the same names there.
 */
export class EmptyRelations extends Relations {
  constructor(
    storage: Storage,
    private readonly of: Relations,
  ) {
    super(storage, of.view, of.batches)
  }

  override table(name: string): Promise<TableVersion | undefined> {
    return this.of.table(name)
  }

  override async tableRelation(session: Session, name: string): Promise<string> {
    const table = await this.table(name)
    return table ? session.tables.scan(table.schema, []) : super.tableRelation(session, name)
  }

  override bronzeRelation(
    _session: Session,
    pointers: readonly BatchPointer[],
    declared: readonly string[],
  ): Promise<{ sql: string; columns: string[] }> {
    return this.emptyBatches(pointers, declared)
  }
}
