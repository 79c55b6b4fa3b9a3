import type { Storage } from '../../storage/storage.js'
import { Checkpoints } from '../checkpoints.js'
import type { LakeState } from '../commit.js'
import { emptyState } from '../fold.js'
import type { CommitLog } from '../log.js'
import { checkedFold } from '../reader.js'
import type { Part } from './damage.js'
import type { Findings } from './findings.js'

/**
 * Checks the chain of a branch's commits, and what tells of them beside it: checkpoints and
 * anchors.
 */
export class Chain {
  constructor(
    private readonly storage: Storage,
    private readonly findings: Findings,
  ) {}

  /**
   * Folds the whole log, as if there were no checkpoints, and holds them against it; `undefined`
   * where it is broken.
   */
  async fold(log: CommitLog): Promise<LakeState | undefined> {
    const { branch } = log
    for (const path of await log.missing())
      this.findings.found(`the log: ${path} is missing`, {
        path,
        is: 'missing',
        why: 'is missing',
        part: { kind: 'log', branch },
      })
    if (this.findings.problems.length > 0) return undefined
    const checkpoints = new Checkpoints(this.storage, branch)
    const known = await checkpoints.known()
    const numbers = new Set(known.checkpoints)
    const anchors = new Set(known.anchors)
    let state = emptyState
    try {
      for await (const entry of log.entries()) {
        state = checkedFold(state, entry)
        if (numbers.delete(state.number)) await this.checkpoint(checkpoints, state)
        if (anchors.delete(state.number)) await this.anchor(checkpoints, state)
      }
    } catch (error) {
      this.findings.failed('', error, { kind: 'log', branch })
      return undefined
    }
    return state
  }

  async checkpoint(checkpoints: Checkpoints, state: LakeState): Promise<void> {
    const path = checkpoints.pathOf(state.number)
    const part: Part = { kind: 'checkpoint', branch: checkpoints.branch, number: state.number }
    await this.findings.guarded('log', part, async () => {
      const why = 'does not match the state of its commit: remove it'
      if (!(await checkpoints.isOf(state)))
        this.findings.found(`${path} ${why}`, { path, is: 'damaged', why, part })
    })
  }

  async anchor({ anchors, branch }: Checkpoints, { number, hash }: LakeState): Promise<void> {
    const path = anchors.pathOf(number)
    const part: Part = { kind: 'anchor', branch, number }
    await this.findings.guarded('log', part, async () => {
      const anchor = await anchors.read(number)
      if (anchor?.hash === hash && anchor.number === number) return
      const why = anchor
        ? `was made for another commit ${number} than the one in the log: an object of the log was replaced`
        : 'is damaged: its content does not match its checksum'
      this.findings.found(`${path} ${why}`, { path, is: anchor ? 'wrong' : 'damaged', why, part })
    })
  }
}
