import type { Command } from 'commander'
import { type Promoted, promote } from '../../../branch/promote.js'
import { MoraineError } from '../../../errors.js'
import { openNamed } from '../../../log/branch/named.js'
import { refuseOwnSources } from '../../../log/branch/own-sources.js'
import { refreshBranch } from '../../../log/branch/refresh.js'
import { currentUser } from '../../../step/context.js'
import { PATIENT } from '../../../storage/retry.js'
import { again } from '../../branch/again.js'
import { runOnBranch } from '../../branch/run-on-branch.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { unexportedLines, warehousesOf } from '../../output/exports.js'
import { plural } from '../../output/format.js'
import { PlainView } from '../../output/plain.js'
import { openLog, openProject, type Project } from '../../project.js'
import { withEngine } from '../build/step-engines.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .argument('<branch>', 'the branch whose tables are published')
    .option('--commit <commit>', 'the commit of the branch that was reviewed: any other is refused')
    .option('--keep', 'keep the branch; without it, the branch ends with the same commit')
    .option(
      '--refresh',
      'first bring the branch to the newest state of main, and rebuild what that affects',
    )
    .addHelpText(
      'after',
      examples(
        ['publish what is on a branch', 'moraine promote dev'],
        ['only if nothing came after what was reviewed', 'moraine promote dev --commit 12'],
        [
          'what waits for a review, as it was shown',
          'moraine promote review --commit 12-5f513c83822e',
        ],
        ['main has moved: build that, then publish', 'moraine promote dev --refresh'],
      ),
    )
}

interface Options {
  commit?: string
  keep?: boolean
  refresh?: boolean
}

export async function run(command: Command): Promise<number> {
  const { commit: reviewed, keep = false, refresh = false } = command.opts<Options>()
  const [branch] = command.args as [string]
  if (refresh && reviewed !== undefined)
    throw new MoraineError('usage', '--refresh makes new commits, so --commit cannot be met', {
      hint: 'Use one of them.',
    })
  await using project: Project<any> = refresh
    ? await openProject(command, { patience: { total: PATIENT } })
    : await openLog(command)
  const author = { author: currentUser(), run: null }
  if (refresh && !(await upToDate(command, project, branch))) return 1
  const { log, storage } = project
  const promoted = await promote({ log, storage }, branch, author, { keep, reviewed })
  const unexported = warehousesOf(project.lake, promoted.published)
  const told = { ...promoted, ...(unexported.length > 0 ? { unexported } : {}) }
  project.show(told, () => lines(told, keep))
  return 0
}

/** Builds on the branch what main has changed since; whether all of it succeeded. */
async function upToDate(command: Command, project: Project, branch: string): Promise<boolean> {
  refuseOwnSources(branch, await (await openNamed(project.log, branch)).head())
  await refreshBranch(project.log, branch, { author: currentUser(), run: null })
  const view = project.json ? undefined : new PlainView()
  const record = await runOnBranch(command, project, branch, {
    onEvent: (event) => view?.event(event),
  })
  if (record.outcome === 'done') return true
  const failed = record.steps.filter(({ outcome }) => outcome === 'failed').length
  const what =
    record.outcome === 'cancelled'
      ? 'The run was stopped'
      : `${failed === 0 ? 'The run' : plural(failed, 'step')} failed`
  project.show(record, () => [
    `${colors.red('✖')} ${what} on branch ${branch}, so nothing was published.`,
  ])
  return false
}

function* lines(
  {
    branch,
    commit,
    published,
    behind,
    unpublished,
    unexported = [],
  }: Promoted & { unexported?: string[] },
  keep: boolean,
): Iterable<string> {
  if (published.length === 0) {
    yield `There is nothing to publish: branch ${branch} has nothing that main does not have. The branch was kept.`
    yield again(`Build on it with: moraine run --branch ${branch}`)
    if (!keep) yield again(`To end the branch: moraine branch delete ${branch}`)
    return
  }
  const end = keep ? 'The branch was kept.' : 'The branch has ended.'
  yield `${colors.green('✔')} Published ${published.join(', ')} of branch ${branch} in commit ${commit}. ${end}`
  if (unpublished) {
    const by = unpublished.run ? ` of run ${unpublished.run}` : ''
    yield `${colors.yellow('!')} The branch got commit ${unpublished.commit}${by} at the same time: it was not published, and has ended with the branch. Build it again, on a new one.`
  }
  if (behind.length > 0)
    yield `Not built on the branch, and out of date until the next run: ${behind.join(', ')}`
  yield* unexportedLines(unexported)
}
