import type { Commit, LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import type { CheckResult } from '../../step/events.js'
import { Journal } from '../../step/journal.js'
import type { Storage } from '../../storage/storage.js'

/** A check whose outcome is another one, or that does not hold; `null` where it was not held. */
export interface CheckDiff {
  check: string
  severity: CheckResult['severity']
  before: boolean | null
  after: boolean | null
  /** What it says where it does not hold. */
  message?: string
}

/** Commits of a log that are looked through for the run that made a table. */
const MOST = 100
/** Commits that are read at the same time. */
const AT_ONCE = 20
/** Branches that are looked through, where it was none of the log's own. */
const BRANCHES = 10

/** What runs have said of the checks of tables, as far as their records are there. */
export class HeldChecks {
  private commits: Promise<Commit[]> | undefined
  private others: Promise<Commit[]> | undefined
  private readonly journal: Journal

  constructor(
    storage: Storage,
    private readonly log: CommitLog,
    private readonly state: LakeState,
  ) {
    this.journal = new Journal(storage)
  }

  /**
   * Of the run that made the rows that the table has; none where that is not known. Later commits
   * may have carried them along: a rollback, other files with the same rows, and those that publish
   * a branch or bring it to a newer state of main, which leave the run's own commit on a branch.
   */
  async of(dataset: string): Promise<readonly CheckResult[]> {
    const table = this.state.tables[dataset]
    if (!table) return []
    const versions = new Set([table.metadata, ...(table.sameRowsAs ?? [])])
    this.commits ??= newest(this.log, this.state.number)
    const found = await this.heldIn(await this.commits, dataset, versions)
    if (found) return found
    this.others ??= this.ofBranches()
    return (await this.heldIn(await this.others, dataset, versions)) ?? []
  }

  private async heldIn(
    commits: readonly Commit[],
    dataset: string,
    versions: ReadonlySet<string>,
  ): Promise<readonly CheckResult[] | undefined> {
    for (const { changes, run } of commits) {
      const made = changes.tables?.[dataset]
      if (!run || !made || !versions.has(made.metadata)) continue
      const entry = await this.journal.find(run).catch(() => undefined)
      const step = entry?.record?.steps.find((one) => one.dataset === dataset)
      if (step) return step.checks ?? []
    }
    return undefined
  }

  /** Commits of branches that had a name of late; those of one that is deleted may be there yet. */
  private async ofBranches(): Promise<Commit[]> {
    const { main } = this.log
    const head = await main.head()
    const named = (await newest(main, head.number)).flatMap(({ changes }) =>
      Object.values(changes.branches ?? {}),
    )
    const all = new Set([...named, ...Object.values(head.branches ?? {})])
    const ids = [...all].filter((id) => id !== null && id !== this.log.branch).slice(0, BRANCHES)
    const found = await Promise.all(
      (ids as string[]).map(async (id) => {
        const branch = await main.openBranch(id).catch(() => undefined)
        const last = await branch?.head().catch(() => undefined)
        return branch && last ? newest(branch, last.number, branch.forkedAt) : []
      }),
    )
    return found.flat()
  }
}

/** Some at a time: storage may be far away, and most tables were made by the newest. */
async function newest(log: CommitLog, from: number, beyond = 0): Promise<Commit[]> {
  const found: Commit[] = []
  const last = Math.max(beyond, from - MOST)
  for (let number = from; number > last; number -= AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, number - last) }, (_, i) => number - i)
    const read = (one: number) => log.entry(one).catch(() => undefined)
    for (const entry of await Promise.all(numbers.map(read))) {
      if (!entry) return found
      found.push(entry.commit)
    }
  }
  return found
}

/** Checks that hold on one side alone, are held on one alone, or do not hold any more. */
export function diffChecks(
  before: readonly CheckResult[],
  after: readonly CheckResult[],
): CheckDiff[] {
  const names = new Set([...before, ...after].map(({ check }) => check))
  return [...names].flatMap((name) => {
    const [old, fresh] = [before, after].map((of) => of.find(({ check }) => check === name))
    const { severity, message } = (fresh ?? old) as CheckResult
    const found = { check: name, before: old?.passed ?? null, after: fresh?.passed ?? null }
    if (found.before === found.after && found.after !== false) return []
    return [{ ...found, severity, ...(message === undefined ? {} : { message }) }]
  })
}
