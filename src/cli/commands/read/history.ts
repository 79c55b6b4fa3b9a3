import type { Command } from 'commander'
import type { Commit } from '../../../log/commit.js'
import { isQueried } from '../../../sql/guard.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import { readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option('-n, --limit <commits>', 'number of commits to show, newest first', '20')
    .addHelpText('after', examples(['the last five commits', 'moraine history -n 5']))
}

export async function run(command: Command): Promise<number> {
  const project = await openLog(command)
  const { log, json } = project
  const shown = await log.latest(command.opts<{ limit: number }>().limit)
  if (json) {
    print(
      toJson(
        shown.map(({ changes, ...commit }) => ({ ...commit, changed: changed(changes) })),
        2,
      ),
    )
    return 0
  }
  if (shown.length === 0) {
    const none = (await project.hasLake())
      ? 'No commits yet.'
      : `There is no lake at ${project.place} yet.`
    print(again(`${none} Fill the lake with: moraine run`))
    return 0
  }
  const rows = shown.map((commit) => ({
    commit: commit.number,
    time: readableTime(commit.time),
    author: commit.author,
    run: commit.run ?? '',
    what: commit.message,
    changed: changed(commit.changes).join(', '),
  }))
  const columns = ['commit', 'time', 'author', 'run', 'what', 'changed']
  print(
    textTable(
      columns.map((name) => ({ name, right: name === 'commit' })),
      rows,
    ),
  )
  return 0
}

function changed({ tables, batches }: Commit['changes']): string[] {
  const names = [...(batches ?? []).map((b) => b.dataset), ...Object.keys(tables ?? {})]
  return [...new Set(names)].filter(isQueried)
}
