import type { Changes } from '../commit.js'

/** Names that people give begin with a letter or a digit. */
const OF_RUN = '_run-'

/**
 * The name of the branch that a run has for itself: some engines know no capitals in the names of
 * namespaces, in which it stands.
 */
export const runBranchName = (run: string): string => `${OF_RUN}${run.toLowerCase()}`

/** Whether a branch is one that a run has for itself, for as long as it is at work. */
export const isRunBranch = (name: string): boolean => name.startsWith(OF_RUN)

/**
 * What a commit writes of branches. A run's is opened behind the state that the run builds on, and
 * ends with what the run publishes: these two do not meet. Who ends it twice does.
 */
export const writtenBranches = (branches: Changes['branches'] = {}): string[] =>
  Object.entries(branches).map(([name, id]) =>
    isRunBranch(name) && id === null ? `end of branch ${name}` : `branch ${name}`,
  )
