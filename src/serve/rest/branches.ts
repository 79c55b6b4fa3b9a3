import { noSuchBranch } from '../../log/branch/named.js'
import { isRunBranch } from '../../log/branch/run-branch-names.js'
import type { LakeState } from '../../log/commit.js'
import { CommitLog, realEffects } from '../../log/log.js'
import { ownValue } from '../../own-value.js'
import { keepRecent } from '../../recent.js'
import type { Storage } from '../../storage/storage.js'
import type { Principal } from '../principals.js'
import { BranchTops } from './branch-tops.js'
import { illegal, RestError } from './errors.js'
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
  /** Its name, where a run has it for itself: whoever asks for it is that run. */
  ofRun: string | undefined
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

const none = (name: string, state: LakeState) =>
  new RestError(404, 'NoSuchNamespaceException', noSuchBranch(name, state).message)

/** Branches that are held at the same time; others are opened again. */
const HELD = 200

/** What a run built and did not publish, for those who want to look. */
const OF_RUN = /^run-[\w-]+$/

/** The branches of a lake. */
export class Branches {
  readonly main: Branch
  /** What is at the top of each. */
  readonly tops: BranchTops
  private readonly log: CommitLog
  /** Those that were asked for, by their names, with their ids: another may get the name later. */
  private readonly known = new Map<string, { id: string; branch: Branch }>()

  constructor(private readonly shared: Shared) {
    this.log = new CommitLog(shared.storage, 'main', { ...realEffects, answersFirst: true })
    this.main = this.branchOf(undefined, new Journal(this.log))
    this.tops = new BranchTops(shared.storage, this.log, (name, id) => {
      const known = this.known.get(name)
      return known?.id === id ? known.branch.journal.head() : undefined
    })
  }

  /**
   * The branch of a name; main where none is given.
   *
   * @param principal who asks: a run's own branch is for that run alone, and it for no other.
   * @throws RestError when there is none.
   */
  async named(name: string | undefined, { run }: Pick<Principal, 'run'>): Promise<Branch> {
    if (run && run.branch !== name)
      throw illegal(`This token is of run ${run.id}, and for its own branch alone: ${run.branch}`)
    if (name === undefined || name === 'main') return this.main
    const state = await this.log.head()
    if (isRunBranch(name) && !run) throw none(name, state)
    const own = ownValue(state.branches, name)
    if (run && own === undefined)
      throw illegal(`Run ${run.id} has ended: its branch and its token are of no use any more`)
    const id = own ?? (OF_RUN.test(name) ? name : undefined)
    const known = this.known.get(name)
    if (known && known.id === id) return known.branch
    const log = id === undefined ? undefined : await this.log.openBranch(id)
    if (!log || id === undefined) throw none(name, state)
    const only = own ? undefined : `Branch ${name} is a run's: it can only be read`
    const branch = this.branchOf(name, new Journal(log, only))
    this.forgetDeleted(state)
    keepRecent(this.known, name, { id, branch }, HELD)
    return branch
  }

  /** Runs come and go, each with a branch. */
  private forgetDeleted({ branches = {} }: LakeState): void {
    for (const [name, { id }] of this.known)
      if (id !== name && branches[name] !== id) this.known.delete(name)
  }

  /** The newest states of a branch and, behind it, of main, whose files it shares. */
  async statesFor(branch: Branch): Promise<[LakeState, ...LakeState[]]> {
    if (branch === this.main) return [await branch.journal.head()]
    return Promise.all([branch.journal.head(), this.main.journal.head()])
  }

  private branchOf(name: string | undefined, journal: Journal): Branch {
    const { files, locations } = this.shared
    const ofRun = name !== undefined && isRunBranch(name) ? name : undefined
    const namespaces = new Namespaces(journal, locations, ofRun)
    const tables = new Tables({ ...this.shared, journal, namespaces, ofRun })
    const views = new Views(journal, files, locations, namespaces)
    return {
      name,
      ofRun,
      journal,
      namespaces,
      tables,
      views,
      names: new NameLists(),
    }
  }
}
