import type { Command } from 'commander'
import { openStorage } from '../../../load/root.js'
import { CommitLog } from '../../../log/log.js'
import { verifyLake } from '../../../log/verify/verify.js'
import { copyLake } from '../../../maintain/copy.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, shellWord, size, toJson } from '../../output/format.js'
import { openLog, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('<to>', 'another folder, or s3://bucket/prefix')
    .addHelpText(
      'after',
      examples(
        ['move a lake to a bucket', 'moraine copy s3://my-bucket/shop'],
        ['and back', 'moraine --root s3://my-bucket/shop copy lake-2'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openLog(command)
  const { storage, folder, json } = project
  const [to = ''] = command.args
  await project.needsLake()
  // The engine writes there as well.
  const { staging } = project.house
  const target = openStorage(to, { folder, staging })
  const session = await project.session()
  const copied = await copyLake(storage, target, session, project.stopped())
  const { problems: found } = await verifyLake(target, new CommitLog(target))
  const { external = { problems: [], elsewhere: [] } } = copied
  const problems = [...found, ...external.problems]
  if (json) print(toJson({ to: target.url, ...copied, problems }, 2))
  else {
    print(
      `${colors.green('✔')} ${count(copied.objects)} objects (${size(copied.bytes)}), ${count(copied.commits)} commits.`,
    )
    for (const path of copied.damaged)
      print(`✖ ${path} is damaged in ${storage.url.replace('file://', '')}, too`)
    for (const problem of problems) print(`✖ ${problem}`)
    for (const name of external.elsewhere)
      print(`${colors.yellow('!')} ${name} has files outside of the lake: they were not copied`)
    print(`Use it with: moraine --root ${shellWord(target.url.replace('file://', ''))} …`)
  }
  return problems.length + copied.damaged.length === 0 ? 0 : 1
}
