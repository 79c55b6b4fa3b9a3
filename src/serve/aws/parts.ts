import type { CommitLog } from '../../log/log.js'
import { recordsOf, type ServerState } from '../../query/service/kept/server-state.js'
import type { QueryService } from '../../query/service/service.js'
import type { diskOf } from '../../storage/disk.js'
import type { Storage } from '../../storage/storage.js'
import { AthenaExecutions } from './athena/executions.js'
import { LakeAccess } from './athena/lake-access.js'
import { LakeTables } from './athena/lake-tables.js'
import { type KeptStatement, NamedQueries, type NamedQuery, Prepared } from './athena/named.js'
import { DefinitionStatements } from './athena/relations/definition-statements.js'
import { LakeViews } from './athena/relations/lake-views.js'
import { TableChanges } from './athena/table-changes.js'
import { TableDefinitions } from './athena/table-definitions.js'
import { Writes } from './athena/writes.js'
import { LakeFiles } from './s3/lake-files.js'
import { ObjectStores } from './s3/store.js'
import { Uploads } from './s3/uploads.js'

export interface PartOptions {
  service: QueryService
  storage: Storage
  log: CommitLog
  /** The folder on this machine for results, and what callers put beside them. */
  folder: string
  /** What outlives the server; without it, executions and what has a name end with it. */
  state?: ServerState | undefined
  /** What is known of the disk with that folder. */
  disk?: typeof diskOf
  /** Hears of what failed inside; whoever asked is told only that something did. */
  onError?: (error: unknown) => void
}

/** What the services are made of: they share results, objects and the lake's tables. */
export function partsOf({ service, storage, log, folder, state, disk, onError }: PartOptions) {
  const access = new LakeAccess(storage, log)
  const lake = new LakeTables(access)
  const views = new LakeViews(service, access)
  const lakeWrites = {
    tables: lake,
    changes: new TableChanges(access),
    definitions: new TableDefinitions(access),
  }
  const stores = new ObjectStores(folder, disk)
  const prepared = new Prepared(recordsOf<KeptStatement>(state, 'athena-prepared'))
  const named = new NamedQueries(recordsOf<NamedQuery>(state, 'athena-named'))
  const definitions = new DefinitionStatements(service, lake, views, stores)
  const writes = new Writes(service, lakeWrites, stores, definitions)
  const executions = new AthenaExecutions(
    { service, stores, writes, views, prepared, ...(onError ? { onError } : {}) },
    state,
  )
  return {
    athena: { service, executions, views, named, prepared },
    glue: { views, lake, definitions: lakeWrites.definitions, access, executions, service },
    s3: { stores, lake: new LakeFiles(storage, log), uploads: new Uploads() },
  }
}
