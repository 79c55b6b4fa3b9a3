import { MoraineError } from '../../errors.js'
import { isRunBranch } from '../../log/branch/run-branch-names.js'
import type { LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import { hasEntry } from '../../log/reading/gaps.js'
import type { Storage } from '../../storage/storage.js'
import type { Namespace } from './names.js'
import { topOf } from './namespaces.js'

/** Branches that are looked at at the same time. */
const TOGETHER = 16

/** What a branch has at the top, as one of its commits left it. */
interface Top {
  id: string
  number: number
  namespaces: readonly Namespace[]
}

/**
 * The namespaces at the top of all branches. There may be thousands of branches, and the state of
 * each tells of the whole lake: what is kept of one are these names.
 */
export class BranchTops {
  private readonly known = new Map<string, Top>()

  constructor(
    private readonly storage: Storage,
    private readonly log: CommitLog,
    /** The newest state of a branch that is open anyway. */
    private readonly opened: (name: string, id: string) => Promise<LakeState> | undefined,
  ) {}

  /**
   * Those of each branch that has a name, in order; those that runs have for themselves are hidden.
   */
  async all(): Promise<{ branch: string; namespaces: readonly Namespace[] }[]> {
    const { branches = {} } = await this.log.head()
    for (const name of this.known.keys())
      if (!Object.hasOwn(branches, name)) this.known.delete(name)
    const names = Object.keys(branches).filter((name) => !isRunBranch(name))
    const all: { branch: string; namespaces: readonly Namespace[] }[] = []
    for (let at = 0; at < names.length; at += TOGETHER) {
      const some = names.slice(at, at + TOGETHER).map(async (branch) => {
        return { branch, namespaces: await this.of(branch, branches[branch] as string) }
      })
      all.push(...(await Promise.all(some)))
    }
    return all
  }

  private async of(name: string, id: string): Promise<readonly Namespace[]> {
    const known = this.known.get(name)
    try {
      if (known?.id === id && !(await hasEntry(this.storage, id, known.number + 1)))
        return known.namespaces
      const state = await (this.opened(name, id) ?? this.stateOf(id))
      if (!state) return []
      const namespaces = topOf(state)
      this.known.set(name, { id, number: state.number, namespaces })
      return namespaces
    } catch (error) {
      if (isDamaged(error)) return []
      throw error
    }
  }

  private async stateOf(id: string): Promise<LakeState | undefined> {
    return (await this.log.openBranch(id))?.head()
  }
}

/** Whether a branch is damaged: whoever asks for it alone is told so. */
const isDamaged = (error: unknown) => error instanceof MoraineError && error.kind === 'corrupt'
