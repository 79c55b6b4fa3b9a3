import { resolve } from 'node:path'
import type { Command } from 'commander'
import { HeldChecks } from '../../../branch/diff/checks.js'
import { diffStates, type LakeDiff } from '../../../branch/diff/diff.js'
import { goneSide, type Range, rangeOf } from '../../../branch/diff/sides.js'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import { noSuchBranch } from '../../../log/branch/named.js'
import { select } from '../../../plan/graph.js'
import { variable } from '../../../settings.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { diffHtml } from '../../branch/diff-html.js'
import { diffLines } from '../../branch/diff-lines.js'
import { diffMarkdown } from '../../branch/diff-markdown.js'
import { branchOfEnv, byVariable } from '../../branch/place.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import { openProject, type Project, print } from '../../project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .argument('[range]', 'what is compared: main..dev, dev, 12..main, 2026-01-31..main')
    .argument('[dataset...]', 'datasets to compare (default: all)')
    .option('--key <columns>', 'columns that pair rows, instead of the key of a dataset')
    .option('--examples <examples>', 'rows to show of each kind', '3')
    .option('--html <file>', 'write a page of HTML to a file, which needs no other')
    .option('--markdown', 'print Markdown, as for a comment of a pull request')
    .option('--exit-code', 'exit with 2 if anything differs')
    .addHelpText(
      'after',
      examples(
        ['what does a branch change?', 'moraine diff dev'],
        ['compared with main as it is now', 'moraine diff main..dev'],
        ['what did the last days change of one table?', 'moraine diff 2026-01-31..main orders'],
        ['as a page for a browser', 'moraine diff dev --html diff.html'],
        ['gold has no key of its own', 'moraine diff dev gold.daily_revenue --key day'],
      ),
    )
}

interface Options {
  key?: string
  examples: number
  markdown?: boolean
  html?: string
  exitCode?: boolean
}

export async function run(command: Command): Promise<number> {
  const options = command.opts<Options>()
  await using project = await openProject(command)
  const { range, selectors } = await asked(command, project)
  const diff = await compare(project, range, selectors, options)
  if (options.html !== undefined) await replaceFile(resolve(options.html), diffHtml(diff))
  if (options.markdown) print(diffMarkdown(diff))
  else project.show(diff, () => diffLines(diff))
  const differs = diff.datasets.length > 0 || diff.others !== undefined
  return options.exitCode && differs ? 2 : 0
}

/** The range that is asked for, and selectors of datasets. */
async function asked(command: Command, project: Project) {
  const [first, ...others] = command.args
  const range = first === undefined ? undefined : await rangeOf(project.log, first)
  if (range) return { range, selectors: others }
  const ofEnv = await branchOfEnv(command, project.lake, project.log)
  const named = variable('MORAINE_BRANCH')
  const branch = ofEnv ?? named
  const own = branch === undefined ? undefined : await rangeOf(project.log, branch)
  if (!own && branch !== undefined && branch === named)
    throw byVariable(noSuchBranch(branch, await project.log.head()), branch)
  if (own) return { range: own, selectors: first === undefined ? [] : [first, ...others] }
  throw new MoraineError(
    'usage',
    first === undefined ? 'What should be compared?' : `'${first}' is not a branch, commit or time`,
    { hint: 'Name a branch, or two sides: moraine diff dev, moraine diff main..dev' },
  )
}

/** Compares two states, in an engine that can open nothing but the lake. */
export async function compare(
  project: Project,
  { before, after }: Range,
  selectors: readonly string[],
  { key, examples: most }: Pick<Options, 'key' | 'examples'>,
): Promise<LakeDiff> {
  const { lake, storage } = project
  const only = selectors.length === 0 ? undefined : new Set(select(lake, selectors).map(fullName))
  const engine = await project.engine()
  await engine.confine([storage.url])
  const session = await engine.open()
  try {
    const found = await diffStates({
      ...{ storage, session, lake, only, examples: most },
      before: before.state,
      after: after.state,
      checks: {
        before: new HeldChecks(storage, before.log, before.state),
        after: new HeldChecks(storage, after.log, after.state),
      },
      key: key?.split(',').map((column) => column.trim()),
    }).catch(async (error) => {
      throw (await goneSide(error, { before, after })) ?? error
    })
    const notes =
      after.log.branch === 'main'
        ? []
        : (await import('../../../bronze/files/on-branch.js')).unreadOnBranch(
            lake.datasets,
            after.state,
          )
    const sides = { before: before.side, after: after.side }
    return { ...sides, ...found, ...(notes.length > 0 ? { notes } : {}) }
  } finally {
    session.close()
  }
}
