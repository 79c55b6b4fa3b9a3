import type { Command } from 'commander'
import { forkRange } from '../../../branch/diff/sides.js'
import { holdNewChecks } from '../../../branch/new-checks.js'
import { objections } from '../../../branch/policy.js'
import { refuseNothing } from '../../../branch/promote.js'
import { MoraineError } from '../../../errors.js'
import type { RunRecord } from '../../../step/events.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { PATIENT } from '../../../storage/retry.js'
import { isBroken, type Review, reviewMarkdown } from '../../branch/review-markdown.js'
import { runOnBranch } from '../../branch/run-on-branch.js'
import { upToDate } from '../../branch/up-to-date.js'
import { secondsFor } from '../../duration.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { toJson } from '../../output/format.js'
import { openProject, type Project, print } from '../../project.js'
import { withEngine } from '../build/step-engines.js'
import { compare } from './diff.js'

export function define(command: Command): Command {
  return withEngine(withMemory(command))
    .argument('<branch>', 'the branch of the change, such as pr-12; it is made if it is not there')
    .option('--ttl <duration>', 'how long after its last commit vacuum deletes a new branch', '14d')
    .option('--approved', 'accept what the policy of lake.ts objects to: exit code 0 instead of 3')
    .option('--out <file>', 'write the Markdown to a file as well')
    .option('--examples <examples>', 'rows to show of each kind', '3')
    .addHelpText(
      'after',
      examples(
        ['in CI: build a change on a branch, and say what it does', 'moraine review pr-12'],
        [
          'with the text of a comment, once the change is approved',
          'moraine review pr-12 --out comment.md --approved',
        ],
      ),
    )
}

interface Options {
  ttl: string
  approved?: boolean
  out?: string
  examples: number
}

/** What a review ends with, where a person has to decide. */
const NEEDS_APPROVAL = 3

export async function run(command: Command): Promise<number> {
  const { ttl, approved = false, out, examples } = command.opts<Options>()
  const [branch] = command.args as [string]
  await using project = await openProject(command, { patience: { total: PATIENT } })
  // Runs make it, and it stays until it is published.
  if (project.lake.publish === 'review') await refuseNothing(project.log, branch)
  await upToDate(project, branch, secondsFor('--ttl', ttl) * 1000)
  // Whether columns may go is decided by people, once they see it.
  const record = await runOnBranch(command, project, branch, { allowBreaking: true })
  if (record.outcome === 'cancelled')
    throw new MoraineError('usage', 'The review was stopped: nothing was compared', {
      hint: `What was built is on branch ${branch}. Review it again: moraine review ${branch}`,
    })
  const range = await forkRange(project.log, branch)
  const diff = await compare(project, range, [], { examples })
  const { review: policy } = project.lake
  const held = await holdNew(project, branch, record)
  const found = objections(diff, policy)
  const review: Review = { branch, record, diff, objections: found, held, approved }
  const markdown = reviewMarkdown(review)
  if (out !== undefined) await replaceFile(out, markdown)
  if (project.json) print(toJson(review, 2))
  else print(markdown)
  if (isBroken(review)) return record.error?.kind === 'definition' ? 2 : 1
  return review.objections.length > 0 && !approved ? NEEDS_APPROVAL : 0
}

/** Checks that are new, of tables that are as they were: no run has held these. */
async function holdNew(project: Project, branch: string, { steps }: RunRecord) {
  const { lake, storage, house } = project
  const { log } = await house.onBranch(branch)
  const unchanged = steps
    .filter(({ outcome }) => outcome === 'unchanged')
    .map(({ dataset }) => dataset)
  const reviewed = { lake, storage, log, state: await log.head(), unchanged }
  return holdNewChecks(reviewed, async () => {
    const engine = await project.engine()
    await engine.confine([storage.url])
    return engine.open()
  })
}
