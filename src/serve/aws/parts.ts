import type { CommitLog } from '../../log/log.js'
import type { QueryService } from '../../query/service/service.js'
import type { Storage } from '../../storage/storage.js'
import { AthenaExecutions } from './athena/executions.js'
import { LakeTables } from './athena/lake-tables.js'
import { NamedQueries, Prepared } from './athena/named.js'
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
  /** Hears of what failed inside; whoever asked is told only that something did. */
  onError?: (error: unknown) => void
}

/** What the services are made of: they share results, objects and the lake's tables. */
export function partsOf({ service, storage, log, folder, onError }: PartOptions) {
  const lake = new LakeTables(storage)
  const stores = new ObjectStores(folder)
  const prepared = new Prepared()
  const writes = new Writes(service, lake, stores)
  const executions = new AthenaExecutions({
    ...{ service, stores, writes, prepared },
    ...(onError ? { onError } : {}),
  })
  return {
    athena: { service, executions, named: new NamedQueries(), prepared },
    glue: { service, lake },
    s3: { stores, lake: new LakeFiles(storage, log), uploads: new Uploads() },
  }
}
