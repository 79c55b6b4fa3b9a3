import type { Command } from 'commander'
import { MoraineError } from '../../../errors.js'
import { type NamedReceipt, receiptsIn } from '../../../log/forgotten.js'
import type { ReadDeep, Verification } from '../../../log/verify/damage.js'
import { verifyLake } from '../../../log/verify/verify.js'
import { Journal } from '../../../step/journal.js'
import { withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { plural, readableTime, size, toJson } from '../../output/format.js'
import { printable } from '../../output/terminal.js'
import { openLog, type Project, print } from '../../project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .option('--deep', 'also read every value, and compare it with the manifests')
    .option('--record', 'with --deep: record the current checksums of files that have none')
    .option('--head', 'verify only the newest commit, not all visible ones')
    .addHelpText(
      'after',
      examples(
        ['is every file there?', 'moraine verify'],
        ['and can every value be read?', 'moraine verify --deep'],
        ['is the newest state complete?', 'moraine verify --head'],
        ['a lake in another folder', 'moraine verify --root /data/lake'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  await using project = await openLog(command)
  const { storage, log, json } = project
  const {
    deep = false,
    head = false,
    record = false,
  } = command.opts<{ deep?: boolean; head?: boolean; record?: boolean }>()
  if (record && !deep)
    throw new MoraineError('usage', '--record needs --deep', {
      hint: 'Files must be read before their checksums are recorded: moraine verify --deep --record',
    })
  const verify = (read?: ReadDeep) => verifyLake(storage, log, { head, deep: read, record })
  const result = await (deep ? withReader(project, verify) : verify())
  const cut = await new Journal(storage).beyond(result.commits)
  if (cut && result.problems.length === 0)
    result.problems.push(
      `the log: it ends with commit ${result.commits}, but run ${cut.run} made commit ${cut.commit}: its newest objects were removed`,
    )
  const good = result.problems.length === 0
  if (good && result.commits === 0) await project.needsLake()
  if (json) print(toJson(result, 2))
  else if (good)
    print(
      `${colors.green('✔')} ${summary(result, head)}${deep ? ` All values could be read. ${sums(result)}` : ''}`,
    )
  else {
    for (const problem of result.problems) print(`${colors.red('✖')} ${problem}`)
    const only = result.unread.length >= result.problems.length
    print(
      only
        ? `\n${plural(result.unread.length, 'file')} could not be read and may or may not be damaged: try again.`
        : `\n${plural(result.problems.length, 'problem')} found. Nothing was changed. To see what can be repaired: moraine repair`,
    )
  }
  if (!json)
    for (const { dataset, name, reason } of result.quarantined)
      print(
        `${colors.yellow('!')} ${dataset}: ${printable(name)} is in quarantine: ${printable(reason)}`,
      )
  if (!json) for (const receipt of receiptsIn(result)) print(forgottenLine(receipt))
  return good ? 0 : 1
}

function forgottenLine({ id, rows, at, author, done }: NamedReceipt): string {
  const n = Object.values(rows).reduce((sum, one) => sum + one, 0)
  const what = `${plural(n, 'row')} of ${Object.keys(rows).join(', ')}`
  return done
    ? `${colors.green('✔')} ${what} were forgotten by ${author} on ${readableTime(done.at)} (receipt ${id}).`
    : `${colors.yellow('!')} ${what} are being forgotten by ${author} since ${readableTime(at)} (receipt ${id}): earlier states still have them. moraine forget --yes goes on with it.`
}

function summary(
  { commits, since, tables, batches, external = 0, files, bytes }: Verification,
  head: boolean,
) {
  const range = since > 1 && !head ? ` Commits before ${since} were expired by vacuum.` : ''
  const own = `${plural(tables, 'table')} and ${batches === 1 ? '1 batch' : `${batches} batches`}`
  const newest = external > 0 ? `${own}, ${external} of other engines` : own
  const all = head ? 'of the newest commit' : 'of all commits'
  return `${plural(commits, 'commit')} in an unbroken chain; ${newest}: ${plural(files, 'file')} (${size(bytes)}) ${all} are there, with the right sizes and row counts.${range}`
}

function sums({ checked = 0, unchecked = 0, recorded }: Verification): string {
  const same = `${plural(checked, 'file')} ${checked === 1 ? 'matches its' : 'match their'} SHA-256 checksum.`
  if (unchecked === 0) return same
  if (recorded !== undefined)
    return `${same} ${plural(recorded, 'file')} had no checksum: ${recorded === 1 ? 'its' : 'their'} current SHA-256 is now recorded.`
  return `${same} ${plural(unchecked, 'file')} ${unchecked === 1 ? 'has' : 'have'} no checksum: another engine or an earlier version of Moraine wrote ${unchecked === 1 ? 'it' : 'them'}.`
}

async function withReader(
  project: Pick<Project, 'session'>,
  verify: (read: ReadDeep) => Promise<Verification>,
): Promise<Verification> {
  const { deepReader } = await import('../../../maintain/verify-data.js')
  return verify(deepReader(await project.session()))
}
