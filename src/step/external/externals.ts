import { fullName } from '../../define/dataset.js'
import { externalsOf } from '../../define/inputs.js'
import type { AnyDataset, External } from '../../define/model.js'
import type { Field } from '../../define/types/column-type.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import { MoraineError } from '../../errors.js'
import type { ForeignTable } from '../../iceberg/foreign.js'
import type { Manifests } from '../../iceberg/manifests.js'
import { toColumnType } from '../../iceberg/spec/types.js'
import type { LakeState, TableState } from '../../log/commit.js'
import { externalOf } from '../../log/external.js'
import type { View } from '../../plan/decision.js'
import type { Storage } from '../../storage/storage.js'
import type { TableSource } from '../task/table-source.js'
import { aView, missing, readBy } from './missing.js'

/** The tables of other engines that datasets read, as they are in one state of the lake. */
export class Externals {
  /** Where they stand, as if they were tables of the lake, by their full names. */
  private readonly tables: Record<string, TableState> = {}
  private readonly current = new Map<External, ForeignTable>()
  private readonly found = new Map<External, MoraineError>()
  /** Versions by their metadata; earlier ones that can't be compared with are `undefined`. */
  private readonly versions = new Map<string, ForeignTable | undefined>()

  /** Nothing that other engines keep. */
  static readonly none = new Externals()

  /**
   * Finds what datasets read of other engines.
   *
   * @param files whether the files of tables that have changed are looked at, too: some may be of
   *   kinds that can't be read.
   */
  static async of(
    storage: Storage,
    state: LakeState,
    datasets: readonly AnyDataset[],
    { files }: { files: boolean },
  ): Promise<Externals> {
    const wanted = new Set(datasets.flatMap(externalsOf))
    if (wanted.size === 0) return Externals.none
    const externals = new Externals()
    const { Manifests } = await import('../../iceberg/manifests.js')
    const manifests = new Manifests(storage)
    const one = async (table: External) => {
      try {
        await externals.add(storage, state, table, manifests)
        if (files) await externals.checkFiles(state, table, datasets)
      } catch (error) {
        if (!(error instanceof MoraineError)) throw error
        externals.found.set(table, placed(error, table))
      }
    }
    await Promise.all([...wanted].map(one))
    return externals
  }

  private async add(
    storage: Storage,
    state: LakeState,
    table: External,
    manifests: Manifests,
  ): Promise<void> {
    const name = fullName(table)
    const at = externalOf(state, table)
    if (at?.kind !== 'table') throw at ? aView(name) : missing(state, name)
    const declared = table.declared && fieldsOfShape(table.declared)
    const { ForeignTable } = await import('../../iceberg/foreign.js')
    const load = (metadata: string, sha256?: string) =>
      ForeignTable.load(
        storage,
        { metadata, ...(sha256 ? { sha256 } : {}) },
        { name, declared },
        manifests,
      )
    const now = await load(at.metadata, at.sha256)
    const sameRowsAs: string[] = []
    for (const metadata of new Set(readBy(state, name))) {
      if (metadata === at.metadata) continue
      const earlier = (await storage.stat(metadata))
        ? await load(metadata).catch(() => undefined)
        : undefined
      const comparable = earlier !== undefined && now.hasColumnsOf(earlier)
      this.versions.set(metadata, comparable ? earlier : undefined)
      if (earlier && now.hasRowsOf(earlier)) sameRowsAs.push(metadata)
    }
    this.versions.set(at.metadata, now)
    this.current.set(table, now)
    this.tables[name] = {
      metadata: at.metadata,
      sha256: at.sha256,
      definition: {},
      ...(await now.totals),
      ...(sameRowsAs.length > 0 ? { sameRowsAs } : {}),
    }
  }

  /** Looks at the files of a table that somebody is about to read. */
  private async checkFiles(
    state: LakeState,
    table: External,
    datasets: readonly AnyDataset[],
  ): Promise<void> {
    const now = this.current.get(table)
    const readers = datasets.filter((dataset) => externalsOf(dataset).includes(table))
    const hasRead = (dataset: AnyDataset) =>
      state.offsets[fullName(dataset)]?.[fullName(table)] === now?.file
    if (!readers.every(hasRead)) await now?.checkFiles()
  }

  /** A state with these tables among those of the lake. */
  on<V extends Pick<View, 'tables'>>(state: V): V {
    if (this.current.size === 0) return state
    return { ...state, tables: { ...state.tables, ...this.tables } }
  }

  /** Tells of versions of them, and has others told by `own`. */
  source(own: TableSource): TableSource {
    return {
      load: async (at) => this.versions.get(at.metadata) ?? own.load(at),
      has: async (metadata) => {
        if (!this.versions.has(metadata)) return own.has(metadata)
        const isReadable = this.versions.get(metadata)?.checkFiles()
        return (
          (await isReadable?.then(
            () => true,
            () => false,
          )) === true
        )
      },
    }
  }

  /** Why a table can't be read. */
  problemWith(table: External): MoraineError | undefined {
    return this.found.get(table)
  }

  /** Why a dataset can't be built: a table that it reads can't be read. */
  problemOf(dataset: AnyDataset): MoraineError | undefined {
    return externalsOf(dataset)
      .map((table) => this.found.get(table))
      .find((error) => error !== undefined)
  }

  /** A table as it is now; `undefined` where it can't be read. */
  versionOf(table: External): ForeignTable | undefined {
    return this.current.get(table)
  }

  /** The columns that are read of a table; `undefined` where nobody knows them. */
  columnsOf(table: External): readonly Field[] | undefined {
    if (table.declared) return fieldsOfShape(table.declared)
    return this.current.get(table)?.schema.fields.map(({ name, type, doc }) => ({
      name,
      type: toColumnType(type),
      ...(doc ? { description: doc } : {}),
    }))
  }
}

function placed({ kind, message, hint, path, retryable }: MoraineError, { place, name }: External) {
  const near = place && { ...place, near: name }
  return new MoraineError(kind, message, {
    ...(hint ? { hint } : {}),
    path,
    retryable,
    place: near,
  })
}
