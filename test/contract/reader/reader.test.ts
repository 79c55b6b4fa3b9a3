import type { Source } from '../../../src/define/source.js'
import { apiReaders, inboxReader, sentReader } from './arrivals.js'
import { fileReaders } from './formats.js'
import { type Reader, readersHold } from './suite.js'

/** Those of databases need services: test/databases/readers.test.ts has them. */
const readers: Record<Exclude<Source['kind'], 'database'>, readonly Reader[]> = {
  files: fileReaders,
  inbox: [inboxReader],
  ingest: [sentReader],
  http: apiReaders,
}

readersHold(Object.values(readers).flat())
