export type { Source } from '../define/source.js'
export { type Database, mysql, postgres, sqlserver, type TableOptions } from './declare/database.js'
export {
  type FilesOptions,
  type FullExportOptions,
  files,
  type LogsOptions,
  logs,
} from './declare/files.js'
export { type HttpOptions, http } from './declare/http.js'
export { type InboxOptions, inbox } from './declare/inbox.js'
export { type IngestOptions, ingest } from './declare/ingest.js'
export { secret } from './declare/secret.js'
