import type { Storage } from '../../storage/storage.js'
import type { MetadataFiles } from './files.js'
import type { Journal } from './journal.js'
import type { Locations } from './locations.js'
import type { Namespaces } from './namespaces.js'

/** What tables are kept by. */
export interface Parts {
  storage: Storage
  journal: Journal
  files: MetadataFiles
  locations: Locations
  namespaces: Namespaces
  /** Tables of `lake.ts` whose rows engines may change. */
  writable?: ReadonlySet<string>
  /** The name of the branch, where a run has it for itself. */
  ofRun?: string | undefined
}
