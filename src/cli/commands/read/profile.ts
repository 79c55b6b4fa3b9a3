import type { Command } from 'commander'
import { fullName } from '../../../define/dataset.js'
import { MoraineError } from '../../../errors.js'
import type { Commit } from '../../../log/commit.js'
import type { CommitLog } from '../../../log/log.js'
import { named } from '../../../plan/graph.js'
import { Journal } from '../../../step/journal.js'
import { type ColumnProfile, type Profile, profilesOf, TOP } from '../../../step/profile.js'
import { again } from '../../branch/again.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { count, plural, readableTime, toJson } from '../../output/format.js'
import { textTable } from '../../output/table.js'
import { openProject, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('<dataset>', 'a silver or gold dataset')
    .option('--column <name>', 'one column, over the last runs')
    .addHelpText(
      'after',
      examples(
        ['what do the newest rows look like?', 'moraine profile orders'],
        ['since when does a column have so few values?', 'moraine profile orders --column amount'],
      ),
    )
}

/** Runs that are looked through, and commits. */
const RUNS = 60
const COMMITS = 200

export async function run(command: Command): Promise<number> {
  const { lake, storage, json, house, log } = await openProject(command)
  const found = named(lake, command.args[0] as string).filter(({ tier }) => tier !== 'bronze')
  const name = found[0] && fullName(found[0])
  if (!name)
    throw new MoraineError('usage', `'${command.args[0]}' is not a silver or gold dataset`, {
      hint: 'Only typed datasets are profiled.',
    })
  if (found[0]?.tier === 'gold' && found[0].view)
    throw new MoraineError('usage', `${name} is a view, so it has no rows of its own to profile`, {
      hint: `Profile its inputs, or query it: moraine query "summarize from ${name}"`,
    })
  const { column } = command.opts<{ column?: string }>()
  const profiles: { run: string; started: string; profile: Profile }[] = []
  for (const { run, started } of await new Journal(storage).latestOn(house.branch, RUNS)) {
    const profile = (await profilesOf(storage, run))[name]
    if (profile) profiles.push({ run, started, profile })
    if (column === undefined && profiles.length === 1) break
  }
  const [newest] = profiles
  if (!newest)
    throw new MoraineError('usage', `None of the last runs wrote rows of ${name}`, {
      hint: (await log.head()).tables[name]
        ? `It is profiled once a run writes rows of it. Until then: moraine query "summarize from ${name}"`
        : 'Build it with: moraine run',
    })
  if (column !== undefined) return showColumn(profiles, column, json)
  const { run: made, ...shown } = newest
  const later = await changedSince(log, name, made)
  if (json) print(toJson({ ...shown, ...(later ? { changed: later.number } : {}) }, 2))
  else showAll(name, newest.started, newest.profile)
  if (later && !json)
    print(
      again(
        `\nCommit ${later.number} has changed it since (${later.message}). As it is now: moraine query "summarize from ${name}"`,
      ),
    )
  return 0
}

/** The last commit that changed rows of a table, where that is none of a run's. */
async function changedSince(
  log: CommitLog,
  name: string,
  run: string,
): Promise<Commit | undefined> {
  const commits = await log.latest(COMMITS)
  const last = commits.find(({ changes: { tables } }) => tables?.[name] && !tables[name].sameRowsAs)
  return last?.run === run ? undefined : last
}

const percent = (share: number) => (share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)
const cut = (text: string | null) =>
  text === null ? '' : text.length > 24 ? `${text.slice(0, 23)}…` : text

/** Distinct values are estimated, but where all of them are listed. */
const distinctOf = ({ distinct, top }: ColumnProfile) =>
  top.length < TOP ? count(top.length) : `≈ ${count(distinct)}`

function showAll(name: string, started: string, { rows, of, columns }: Profile): void {
  const looked = of < rows ? `, of which the first ${count(of)} were profiled` : ''
  print(
    `${colors.bold(name)}: ${plural(rows, 'row')} of the run at ${readableTime(started)}${looked}\n`,
  )
  const heads = ['column', 'null %', 'distinct', 'min', 'max', 'most frequent']
  print(
    textTable(
      heads.map((head) => ({ name: head, right: head === 'null %' || head === 'distinct' })),
      columns.map((c) => ({
        column: c.name,
        'null %': percent(c.nulls),
        distinct: distinctOf(c),
        min: cut(c.min),
        max: cut(c.max),
        'most frequent': c.top
          .slice(0, 3)
          .map(([value, n]) => `${cut(value)} (${percent(n / of)} %)`)
          .join(', '),
      })),
    ),
  )
}

function showColumn(
  profiles: readonly { started: string; profile: Profile }[],
  name: string,
  json: boolean,
): number {
  const rows = [...profiles].reverse().flatMap(({ started, profile }) => {
    const found = profile.columns.find((c) => c.name.toLowerCase() === name.toLowerCase())
    return found ? [{ started, rows: profile.rows, ...found }] : []
  })
  if (rows.length === 0)
    throw new MoraineError('usage', `There is no column '${name}'`, {
      hint: `Its columns are: ${profiles[0]?.profile.columns.map((c) => c.name).join(', ')}`,
    })
  if (json) print(toJson(rows, 2))
  else
    print(
      textTable(
        ['run at', 'rows', 'null %', 'distinct', 'min', 'max'].map((head) => ({
          name: head,
          right: ['rows', 'null %', 'distinct'].includes(head),
        })),
        rows.map((r) => ({
          'run at': readableTime(r.started),
          rows: r.rows,
          'null %': percent(r.nulls),
          distinct: distinctOf(r),
          min: cut(r.min),
          max: cut(r.max),
        })),
      ),
    )
  return 0
}
