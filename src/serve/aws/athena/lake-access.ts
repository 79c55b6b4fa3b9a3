import { randomUUID } from 'node:crypto'
import type { Session } from '../../../engine/engine.js'
import type { DataFile } from '../../../iceberg/spec/manifest.js'
import { currentSpec } from '../../../iceberg/spec/metadata.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import { type AnyMetadata, completed } from '../../../iceberg/spec/updates/metadata-json.js'
import { adding } from '../../../iceberg/spec/updates/own-updates.js'
import type { Table } from '../../../iceberg/table.js'
import type { ExternalState, LakeState } from '../../../log/commit.js'
import type { CommitLog } from '../../../log/log.js'
import type { Caller, QueryAnswer } from '../../../query/service/request.js'
import type { Storage } from '../../../storage/storage.js'
import { refuseWriting } from '../../rest/access/rights.js'
import { type Branch, Branches } from '../../rest/branches.js'
import { MetadataFiles } from '../../rest/files.js'
import { Locations } from '../../rest/locations.js'
import { type Identifier, identifierIn, shownName } from '../../rest/names.js'
import { existing } from '../../rest/relations.js'
import { refuseRows, tableToChange } from './changed-tables.js'

/** Rows that are to be written, and what stops that. */
export interface RowsToWrite {
  answer: Pick<QueryAnswer, 'columns' | 'rows'>
  /** Is listened to until the commit, and not after. */
  signal: AbortSignal
  /** Makes the commit, once what belongs to it is stored: nothing stops it any more. */
  commit: (written: WrittenRows, make: () => Promise<unknown>) => Promise<void>
}

/** What was written, and is seen once it is committed. */
export interface WrittenRows {
  rows: number
  /** New data files of a table. */
  files: readonly { path: string; bytes: number }[]
}

/** Rows that a query has read from the lake, of which the state is known that it saw. */
export interface ToWrite extends RowsToWrite {
  answer: QueryAnswer
}

/** A table by the names that a statement gives it. */
export interface TableName {
  schema: string
  name: string
}

/** The lake as statements write to it: by the journal of the REST catalog, with its rules. */
export class LakeAccess {
  readonly locations: Locations
  readonly main: Branch
  private readonly files: MetadataFiles

  constructor(
    readonly storage: Storage,
    private readonly log: Pick<CommitLog, 'stateAt'>,
  ) {
    this.files = new MetadataFiles(storage)
    this.locations = new Locations(storage)
    const { files, locations } = this
    this.main = new Branches({ storage, files, locations, writable: new Set() }).main
  }

  head(): Promise<LakeState> {
    return this.main.journal.head()
  }

  /** The lake as an answer has read it. */
  stateOf({ readAs }: QueryAnswer): Promise<LakeState> {
    return this.log.stateAt(readAs.commit)
  }

  async identifier({ schema, name }: TableName): Promise<Identifier> {
    return identifierIn(await this.head(), schema, name)
  }

  /**
   * A table that a caller may change.
   *
   * @param refuseOwn refuses those that `lake.ts` defines.
   */
  async changeable(
    caller: Caller,
    named: TableName,
    refuseOwn: (identifier: Identifier) => void,
  ): Promise<Identifier> {
    const identifier = await this.identifier(named)
    refuseWriting({ principal: caller }, identifier, 'table')
    refuseOwn(identifier)
    existing(await this.head(), identifier, 'table')
    return identifier
  }

  /**
   * A table whose files are listed anew.
   *
   * @throws MoraineError of kind `query` for one that only its own engine writes.
   */
  async table(state: LakeState, identifier: Identifier): Promise<Table> {
    const at = existing(state, identifier, 'table')
    return tableToChange(this.storage, at, await this.metadataAt(at), shownName(identifier))
  }

  /** The same, with rows that are written. */
  async writable(state: LakeState, identifier: Identifier): Promise<Table> {
    const table = await this.table(state, identifier)
    refuseRows(table, shownName(identifier))
    return table
  }

  /** The metadata of a table, whatever its format. */
  async metadata(identifier: Identifier): Promise<AnyMetadata> {
    return this.metadataAt(existing(await this.head(), identifier, 'table'))
  }

  private async metadataAt(at: ExternalState): Promise<AnyMetadata> {
    return completed(await this.files.json(at))
  }

  /** The metadata of a view, as they lie there. */
  viewAt(at: ExternalState): Promise<Json> {
    return this.files.json(at)
  }

  /** Writes rows as data files of a table, which nobody sees yet. */
  async dataFiles(session: Session, table: Table, sql: string): Promise<DataFile[]> {
    await this.storage.prepare(`${table.dataFolder}/x`)
    const target = {
      schema: table.schema,
      spec: currentSpec(table.metadata),
      location: this.storage.locate(table.dataFolder),
      name: `athena-${randomUUID()}`,
      compression: table.compression,
    }
    const files = await session.tables.write(sql, target)
    const sums = await this.storage.seal(files.map((file) => table.pathOf(file.path)))
    return files.map((file) => table.withChecksum(file, sums))
  }

  /** Makes what was written upon a version of a table its newest one, unless it has another. */
  async publish(
    caller: Caller,
    identifier: Identifier,
    { metadata, snapshot: old }: Table,
    { snapshot }: Table,
  ): Promise<void> {
    if (!snapshot) throw new Error('a snapshot was written')
    const requirements = [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      {
        type: 'assert-ref-snapshot-id',
        ref: 'main',
        'snapshot-id': old?.['snapshot-id'] ?? null,
      },
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    ]
    await this.commit(caller, identifier, requirements, adding(metadata, snapshot))
  }

  /** One commit of the log that changes a table. */
  async commit(
    caller: Caller,
    identifier: Identifier,
    requirements: readonly object[],
    updates: readonly object[],
  ): Promise<void> {
    await this.main.tables.commit({ principal: caller }, [
      {
        identifier,
        requirements: requirements as readonly Json[],
        updates: updates as readonly Json[],
      },
    ])
  }
}
