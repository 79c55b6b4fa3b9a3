import { noSuchBranch } from '../../log/branch/named.js'
import type { LakeState } from '../../log/commit.js'
import { CommitLog } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import type { Storage } from '../../storage/storage.js'
import { RestError } from './errors.js'
import type { MetadataFiles } from './files.js'
import { Journal } from './journal.js'
import type { Locations } from './locations.js'
import { Namespaces } from './namespaces.js'
import { NameLists } from './relations.js'
import { Tables } from './tables.js'
import { Views } from './views.js'

/** One branch of the lake: a catalog by itself. */
export interface Branch {
  /** `undefined` for main. */
  name: string | undefined
  journal: Journal
  namespaces: Namespaces
  tables: Tables
  views: Views
  names: NameLists
}

/** What all branches share. */
interface Shared {
  storage: Storage
  files: MetadataFiles
  locations: Locations
  /** Tables of `lake.ts` whose rows engines may change. */
  writable: ReadonlySet<string>
}

/** What a run built and did not publish, for those who want to look. */
const OF_RUN = /^run-[\w-]+$/

/** The branches of a lake. */
export class Branches {
  readonly main: Branch
  private readonly log: CommitLog
  /** Those that were asked for, by their names, with their ids: another may get the name later. */
  private readonly known = new Map<string, { id: string; branch: Branch }>()

  constructor(private readonly shared: Shared) {
    this.log = new CommitLog(shared.storage)
    this.main = this.branchOf(undefined, new Journal(this.log))
  }

  /** The names of those that have one, in order. */
  async names(): Promise<string[]> {
    return Object.keys((await this.log.head()).branches ?? {}).sort()
  }

  /**
   * The branch of a name; main where none is given.
   *
   * @throws RestError when there is none.
   */
  async named(name: string | undefined): Promise<Branch> {
    if (name === undefined || name === 'main') return this.main
    const state = await this.log.head()
    const own = ownValue(state.branches, name)
    const id = own ?? (OF_RUN.test(name) ? name : undefined)
    const known = this.known.get(name)
    if (known && known.id === id) return known.branch
    const log = id === undefined ? undefined : await this.log.openBranch(id)
    if (!log || id === undefined)
      throw new RestError(404, 'NoSuchNamespaceException', noSuchBranch(name, state).message)
    const only = own ? undefined : `Branch ${name} is a run's: it can only be read`
    const branch = this.branchOf(name, new Journal(log, only))
    this.known.set(name, { id, branch })
    return branch
  }

  /** The newest states of a branch and, behind it, of main, whose files it shares. */
  async statesFor(branch: Branch): Promise<[LakeState, ...LakeState[]]> {
    if (branch === this.main) return [await branch.journal.head()]
    return Promise.all([branch.journal.head(), this.main.journal.head()])
  }

  private branchOf(name: string | undefined, journal: Journal): Branch {
    const { files, locations } = this.shared
    const namespaces = new Namespaces(journal, locations)
    const tables = new Tables({ ...this.shared, journal, namespaces })
    const views = new Views(journal, files, locations, namespaces)
    return { name, journal, namespaces, tables, views, names: new NameLists() }
  }
}
