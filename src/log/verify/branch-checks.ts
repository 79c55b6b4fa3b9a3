import type { Storage } from '../../storage/storage.js'
import { forkPath } from '../branch/fork.js'
import { isDeletedBranch, isExpiredRun } from '../branch/ids.js'
import { Checkpoints } from '../checkpoints.js'
import type { LakeState } from '../commit.js'
import type { CommitLog } from '../log.js'
import type { Chain } from './chain.js'
import type { Findings } from './findings.js'

/** Checks that the logs of branches are whole. */
export class BranchChecks {
  constructor(
    private readonly storage: Storage,
    private readonly findings: Findings,
    private readonly chain: Chain,
  ) {}

  /** @returns the branch's newest state; `undefined` where there is none of that id. */
  async check(log: CommitLog, id: string): Promise<LakeState | undefined> {
    const branch = await log.openBranch(id)
    if (!branch) {
      const entries = await this.storage.entries(`_moraine/log/${id}/`)
      if (entries.some(({ path }) => /\/\d+\.json$/.test(path))) this.missing(id, forkPath(id))
      return undefined
    }
    // What came from a branch that is deleted is gone with it, and so is what a run did not publish
    // with the state that it began with.
    const head = await log.head()
    if (branch.ancestors.some((one) => isDeletedBranch(one, head))) return undefined
    if (isExpiredRun(branch, head)) return undefined
    for (const path of await branch.missing()) this.missing(id, path)
    const beside = new Checkpoints(this.storage, id)
    const known = await beside.known()
    for (const number of known.checkpoints)
      await this.chain.checkpoint(beside, await branch.stateAt(number))
    for (const number of known.anchors)
      await this.chain.anchor(beside, await branch.stateAt(number))
    return branch.head()
  }

  private missing(id: string, path: string): void {
    this.findings.found(`branch ${id}: ${path} is missing`, {
      path,
      is: 'missing',
      why: 'is missing',
      part: { kind: 'log', branch: id },
    })
  }
}
