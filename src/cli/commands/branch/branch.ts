import type { Command } from 'commander'
import { contentsOfBranch } from '../../../branch/contents.js'
import { MoraineError } from '../../../errors.js'
import { expiryOf } from '../../../log/branch/expiry.js'
import { createBranch, deleteBranch, openNamed, renameBranch } from '../../../log/branch/named.js'
import { refreshBranch } from '../../../log/branch/refresh.js'
import { isRunBranch } from '../../../log/branch/run-branch-names.js'
import type { CommitLog } from '../../../log/log.js'
import { currentUser } from '../../../step/context.js'
import { again } from '../../branch/again.js'
import { branchLines, contentsLines } from '../../branch/lines.js'
import { secondsFor } from '../../duration.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { openLog, type Project, pointOf } from '../../project.js'

interface Options {
  at?: string
  ttl?: string
}

export function define(command: Command): Command {
  return command
    .argument('[action]', 'list, create, show, refresh, rename or delete', 'list')
    .argument('[name]', 'the name of the branch')
    .argument('[to]', 'with rename, its new name')
    .option('--at <commit>', 'with create, the commit or time that it starts at')
    .option(
      '--ttl <duration>',
      'with create, how long after its last commit vacuum deletes it, such as 14d',
    )
    .addHelpText(
      'after',
      examples(
        ['a branch to try a change on, apart from main', 'moraine branch create dev --ttl 14d'],
        ['build what lake.ts changes there', 'moraine run --branch dev'],
        ['which branches are there?', 'moraine branch'],
        ['what is on one, and has main moved since?', 'moraine branch show dev'],
        ['bring it to the newest state of main', 'moraine branch refresh dev'],
        ['delete a branch, and all that only it has', 'moraine branch delete dev'],
      ),
    )
}

const author = () => ({ author: currentUser(), run: null })

/** A branch that a command works on. */
interface Asked {
  project: Project<any>
  log: CommitLog
  options: Options
  name: string
  to: string | undefined
}

const actions: Readonly<Record<string, (asked: Asked) => Promise<void>>> = {
  create: async ({ project, log, options: { at, ttl }, name }) => {
    const from = at === undefined ? await log.head() : await log.visibleAt(pointOf('--at', at))
    const life = {
      created: new Date().toISOString(),
      ...(ttl === undefined ? {} : { ttl: secondsFor('--ttl', ttl) * 1000 }),
    }
    const branch = await createBranch(log, name, from, { ...author(), life })
    const expires = expiryOf(branch, from)?.toISOString()
    const value = {
      branch: name,
      id: branch.branch,
      at: from.number,
      ...(expires ? { expires } : {}),
    }
    project.show(value, () => [
      `${colors.green('✔')} Branch ${name} starts at commit ${from.number}. Build on it with: ${again(`moraine run --branch ${name}`)}`,
      again(`Other engines find it as NAMESPACE@${name}: moraine serve --catalog`),
    ])
  },
  show: async ({ project, log, name }) => {
    const contents = await contentsOfBranch(log, project.storage, name)
    project.show(contents, () => contentsLines(contents))
  },
  refresh: async ({ project, log, name }) => {
    const refreshed = await refreshBranch(log, name, author())
    const { at, before, kept, dropped } = refreshed
    project.show({ branch: name, ...refreshed }, function* () {
      if (at === before)
        return yield `Main has changed nothing since commit ${at}, at which branch ${name} starts.`
      yield `${colors.green('✔')} Branch ${name} starts at commit ${at} instead of ${before}.`
      if (kept.length > 0) yield `Kept: ${kept.join(', ')}`
      if (dropped.length > 0) yield `To be built again: ${dropped.join(', ')}`
      yield again(`Bring it up to date with: moraine run --branch ${name}`)
    })
  },
  rename: async ({ project, log, name, to }) => {
    if (to === undefined)
      throw new MoraineError(
        'usage',
        'What is its new name? Write: moraine branch rename NAME NEW_NAME',
      )
    await renameBranch(log, name, to, author())
    project.show({ branch: to, before: name }, () => [
      `${colors.green('✔')} Branch ${name} is called ${to}.`,
    ])
  },
  delete: async ({ project, log, name }) => {
    await deleteBranch(log, name, author())
    project.show({ deleted: name }, () => [
      `${colors.green('✔')} Branch ${name} is deleted. moraine vacuum removes the files that only it has.`,
    ])
  },
}

export async function run(command: Command): Promise<number> {
  const [action = 'list', name, to] = command.args
  const options = command.opts<Options>()
  await using project = await openLog(command)
  const { log } = project
  for (const [option, value] of Object.entries(options))
    if (value !== undefined && action !== 'create')
      throw new MoraineError('usage', `--${option} is only for moraine branch create`)
  if (action === 'list') {
    if (name === undefined) return list(project)
    throw new MoraineError('usage', `moraine branch list takes no name: '${name}'`, {
      hint: `To see one: moraine branch show ${name}`,
    })
  }
  const act = Object.hasOwn(actions, action) ? actions[action] : undefined
  if (!act)
    throw new MoraineError('usage', `moraine branch ${action} is not known`, {
      hint: 'Write: moraine branch list, or moraine branch create, show, refresh, rename or delete NAME',
    })
  if (name === undefined)
    throw new MoraineError('usage', `Which branch? Write: moraine branch ${action} NAME`)
  if (to !== undefined && action !== 'rename')
    throw new MoraineError(
      'usage',
      `moraine branch ${action} takes one name, not '${to}' as well`,
      {
        hint: `Nothing was changed. Write one command for each: moraine branch ${action} ${name}`,
      },
    )
  await act({ project, log, options, name, to })
  return 0
}

async function list(project: Project<any>): Promise<number> {
  const { log } = project
  const state = await log.head()
  const named = Object.keys(state.branches ?? {}).sort()
  const rows = await Promise.all(named.map((name) => described(log, name, state.branches?.[name])))
  project.show(rows, () => branchLines(rows))
  return 0
}

async function described(log: CommitLog, name: string, id = '') {
  const branch = isRunBranch(name) ? await log.openBranch(id) : await openNamed(log, name)
  if (!branch)
    throw new MoraineError('corrupt', `Branch ${name} is damaged: it has no beginning`, {
      hint: 'moraine verify shows what is missing.',
    })
  const head = await branch.head()
  const at = branch.forkedAt
  const commits = head.number - at
  const expires = expiryOf(branch, head)?.toISOString()
  const time = commits > 0 ? head.time : null
  return { branch: name, id, at, commits, time, ...(expires ? { expires } : {}) }
}
