export type { Source } from '../define/source.js'
export { type Database, mysql, postgres, sqlserver, type TableOptions } from './database.js'
export { type FilesOptions, files, type LogsOptions, logs } from './files.js'
export { secret } from './secret.js'
