import type { Command } from 'commander'
import { MoraineError } from '../../../errors.js'
import { rootOf } from '../../../load/root.js'
import { idOf, lifecycleRules } from '../../../maintain/lifecycle.js'
import { secondsFor } from '../../duration.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural } from '../../output/format.js'
import { type GlobalOptions, openProject, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option(
      '--removed <duration>',
      'how long objects removed by vacuum can be restored, if the bucket keeps versions',
      '30d',
    )
    .option(
      '--class <class>',
      "where archived files move when their dataset's retention ends; or none",
      'GLACIER_IR',
    )
    .option('--apply', 'apply the rules to the bucket; other rules are kept')
    .addHelpText(
      'after',
      examples(
        ['print the rules, in the format of the AWS CLI', 'moraine lifecycle'],
        ['apply them to the bucket', 'moraine lifecycle --apply'],
      ),
    )
}

interface Options {
  removed: string
  class: string
  apply?: boolean
}

export async function run(command: Command): Promise<number> {
  const options = command.optsWithGlobals<Options & GlobalOptions>()
  const { lake, folder } = await openProject(command)
  const address = options.root ?? rootOf(lake, folder)
  if (!address.startsWith('s3://'))
    throw new MoraineError(
      'usage',
      'Only buckets have lifecycle rules, but this lake is in a folder',
      {
        hint: 'Name the bucket with --root s3://…; for a folder, use moraine vacuum.',
      },
    )
  const { S3Storage } = await import('../../../storage/s3/s3.js')
  const { s3Place } = await import('../../../storage/s3/settings.js')
  const { bucket, prefix } = s3Place(address)
  const rules = lifecycleRules(lake, prefix, {
    removed: Math.ceil(secondsFor('--removed', options.removed) / 86_400),
    archiveClass: options.class === 'none' ? undefined : options.class,
  })
  if (!options.apply) {
    print(JSON.stringify({ Rules: rules }, null, 2))
    return 0
  }
  const own = idOf(prefix, '')
  const { given, others } = await new S3Storage(address, null).setLifecycle(rules, (id) =>
    id.startsWith(own),
  )
  const kept = others > 0 ? `; ${plural(others, 'other rule')} kept` : ''
  print(`${colors.green('✔')} Applied ${plural(given.length, 'rule')} to ${bucket}${kept}`)
  const refused = rules.filter((rule) => !given.includes(rule)).map(({ ID }) => ID)
  if (refused.length > 0)
    print(`${colors.yellow('!')} the bucket does not support: ${refused.join(', ')}`)
  return 0
}
