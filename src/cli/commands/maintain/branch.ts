import type { Command } from 'commander'
import { MoraineError } from '../../../errors.js'
import { createBranch, deleteBranch } from '../../../log/branch/named.js'
import type { CommitLog } from '../../../log/log.js'
import { currentUser } from '../../../step/context.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openLog, pointOf, print } from '../../project.js'

interface Options {
  at?: string
}

export function define(command: Command): Command {
  return command
    .argument('[action]', 'list, create or delete', 'list')
    .argument('[name]', 'the name of the branch')
    .option('--at <commit>', 'with create, the commit or time that it starts at')
    .addHelpText(
      'after',
      examples(
        ['a branch that other engines write to, apart from main', 'moraine branch create dev'],
        ['which branches are there?', 'moraine branch'],
        ['delete a branch, and all that only it has', 'moraine branch delete dev'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const [action, name] = command.args
  const { at } = command.opts<Options>()
  const { log, json } = await openLog(command)
  if (at !== undefined && action !== 'create')
    throw new MoraineError('usage', '--at is only for moraine branch create')
  const author = { author: currentUser(), run: null }
  if (action === undefined || action === 'list') return list(log, json)
  if (action === 'create') {
    const from = at === undefined ? await log.head() : await log.visibleAt(pointOf('--at', at))
    const branch = await createBranch(log, nameOf(name, action), from, author)
    if (json) print(toJson({ branch: name, id: branch.branch, at: from.number }, 2))
    else
      print(
        `${colors.green('✔')} Branch ${name} starts at commit ${from.number}. Other engines find it as NAMESPACE@${name}: moraine serve --catalog`,
      )
    return 0
  }
  if (action === 'delete') {
    await deleteBranch(log, nameOf(name, action), author)
    if (json) print(toJson({ deleted: name }, 2))
    else
      print(
        `${colors.green('✔')} Branch ${name} is deleted. moraine vacuum removes the files that only it has.`,
      )
    return 0
  }
  throw new MoraineError('usage', `moraine branch ${action} is not known`, {
    hint: 'Write: moraine branch list, moraine branch create NAME, or moraine branch delete NAME',
  })
}

function nameOf(name: string | undefined, action: string): string {
  if (name !== undefined) return name
  throw new MoraineError('usage', `Which branch? Write: moraine branch ${action} NAME`)
}

async function list(log: CommitLog, json: boolean): Promise<number> {
  const state = await log.head()
  const named = Object.entries(state.branches ?? {}).sort()
  const rows = await Promise.all(named.map(([name, id]) => described(log, name, id)))
  if (json) print(toJson(rows, 2))
  else if (rows.length === 0)
    print('There are no branches besides main. Create one with: moraine branch create NAME')
  else
    print(
      textTable(
        ['branch', 'starts at', 'commits', 'last commit'].map((name) => ({ name })),
        rows.map(({ branch, at, commits, time }) => ({
          branch,
          'starts at': `commit ${at}`,
          commits: plural(commits, 'commit'),
          'last commit': time === null ? '-' : readableTime(time),
        })),
      ),
    )
  return 0
}

async function described(log: CommitLog, name: string, id: string) {
  const branch = await log.openBranch(id)
  if (!branch)
    throw new MoraineError('corrupt', `Branch ${name} is damaged: it has no beginning`, {
      hint: 'moraine verify shows what is missing.',
    })
  const head = await branch.head()
  const at = branch.forkedAt
  const commits = head.number - at
  return { branch: name, id, at, commits, time: commits > 0 ? head.time : null }
}
