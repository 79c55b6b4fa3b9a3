export type { Source } from '../define/source.js'
export { type Database, mysql, postgres, sqlserver, type TableOptions } from './database.js'
export {
  type FilesOptions,
  type FullExportOptions,
  files,
  type LogsOptions,
  logs,
} from './files.js'
export { type HttpOptions, http } from './http.js'
export { type InboxOptions, inbox } from './inbox.js'
export { type IngestOptions, ingest } from './ingest.js'
export { secret } from './secret.js'
