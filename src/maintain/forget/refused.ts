import { filesOf, originalsOf } from '../../bronze/without-rows.js'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { countOf } from '../../define/thousands.js'
import { Table } from '../../iceberg/table.js'
import { tableFolder } from '../../iceberg/table-folder.js'
import { isDeletedBranch, isUnpublished } from '../../log/branch/ids.js'
import { isRunBranch } from '../../log/branch/run-branch-names.js'
import type { LakeState } from '../../log/commit.js'
import { howToEnd, lookForLive, nameOfLive } from '../../log/live.js'
import type { CommitLog } from '../../log/log.js'
import { quarantinedOf } from '../../log/quarantined.js'
import type { Storage } from '../../storage/storage.js'
import { refuseUnknownArchives } from './archives.js'
import { refuseLoss } from './losses.js'
import type { SearchContext } from './options.js'
import { refusal } from './refusal.js'
import type { Removal } from './removal.js'

/** Tables that stand beside those of silver. */
const BESIDE = ['history', 'discarded', 'deleted', 'tombstones']

/**
 * Makes sure that rows can be removed from everywhere, before anything is touched.
 *
 * @throws MoraineError of kind `usage` that says what is in the way, and what to do about it.
 */
export async function refuseWhatStays(context: SearchContext, removal: Removal): Promise<void> {
  const { lake, storage, log, state, relations } = context
  await refuseBranches(storage, log, state)
  refuseUnknownTables(lake, state)
  await refuseLinks(storage, state, removal)
  await refuseTags(storage, state)
  const datasets = new Set(removal.meant.flatMap(({ dataset }) => dataset.from.map(fullName)))
  for (const name of datasets) refuseQuarantine(state, name)
  refuseExpiredArchives(context, datasets)
  await refuseUnknownArchives(context, datasets)
  await refuseLocked(storage, removal)
  refuseLoss(lake, relations.view, removal)
}

/**
 * A branch has the states that it began with, and files of its own. Those of runs that are at work
 * are waited for; of others, they go.
 */
export async function refuseBranches(
  storage: Storage,
  log: CommitLog,
  state: LakeState,
): Promise<void> {
  const ids = await storage.folders('_moraine/log/')
  const nameOf = (id: string) =>
    Object.entries(state.branches ?? {}).find(([, one]) => one === id)?.[0] ?? id
  const names = ids
    .filter((id) => id !== log.branch && !isDeletedBranch(id, state) && !isUnpublished(id))
    .map(nameOf)
    .filter((name) => !isRunBranch(name))
  if (names.length === 0) return
  const [name = ''] = names
  const id = state.branches?.[name]
  const branch = id === undefined ? undefined : await log.openBranch(id)
  const isOther = Object.keys((await branch?.head())?.ownSources ?? {}).length > 0
  const end = `moraine branch delete ${name}`
  const s = names.length === 1 ? `Branch ${names[0]} has` : `Branches ${names.join(', ')} have`
  throw refusal(
    `${s} states of the lake with these rows`,
    names.length === 1
      ? isOther
        ? `Its rows are from other sources than main's. Delete it first: ${end}.`
        : `Publish or delete it first: moraine promote ${name}, or ${end}.`
      : `Publish or delete them first: ${names.map((one) => `moraine branch delete ${one}`).join('; ')}.`,
  )
}

/** Who works on the lake may have read what is to go. */
export async function refuseWriters(storage: Storage): Promise<void> {
  const { live } = await lookForLive(storage, Date.now())
  const writer = live.find(({ kind }) => kind === 'run')
  if (writer)
    throw refusal(
      `${nameOfLive(writer)} is still working on the lake (process ${writer.pid} on ${writer.host})`,
      `It may have read the rows. ${howToEnd(writer)}`,
    )
}

/** Nobody can tell which rows of a table are meant that the definition does not know. */
export function refuseUnknownTables(lake: Lake, { tables, batches }: LakeState): void {
  const known = new Set(
    lake.datasets.flatMap(({ tier, name }) => [
      `${tier}.${name}`,
      ...(tier === 'silver' ? BESIDE.map((folder) => `${folder}.${name}`) : []),
    ]),
  )
  const held = Object.entries(batches).flatMap(([name, of]) => (of.length > 0 ? [name] : []))
  const other = [...Object.keys(tables), ...held].find((name) => !known.has(name))
  if (other)
    throw refusal(
      `${other} is no longer in lake.ts, so it is not known which of its rows are meant`,
      `Drop it (moraine drop ${other}), or define it again.`,
    )
}

/** A tag keeps a snapshot with all of its files. */
async function refuseTags(storage: Storage, { tables }: LakeState): Promise<void> {
  for (const [name, state] of Object.entries(tables)) {
    const [first] = (await Table.load(storage, state)).tagged
    if (first)
      throw refusal(
        `${name} has a snapshot that another engine has named: ${first.tag}`,
        'It keeps earlier rows. Remove the tag or branch in that engine.',
      )
  }
}

/** What could not be read can't be looked into. */
function refuseQuarantine(state: LakeState, name: string): void {
  const found = quarantinedOf(state, name).length
  if (found > 0)
    throw refusal(
      `${countOf(found, 'object')} of ${name} could not be read, and may hold such rows`,
      'See moraine quarantine: have them read, or discard them.',
    )
}

/** The archive has files of batches that nobody can look into any more. */
function refuseExpiredArchives(
  { lake, state }: SearchContext,
  datasets: ReadonlySet<string>,
): void {
  for (const dataset of lake.datasets) {
    const name = fullName(dataset)
    if (dataset.tier !== 'bronze' || !dataset.archive || !datasets.has(name)) continue
    const last = state.expired?.[name] ?? 0
    if (last > 0)
      throw refusal(
        `The archive of ${name} has files of batches that have expired (up to ${last}), which may hold such rows`,
        `Bring these batches back first: moraine rebuild ${name} --from archive.`,
      )
  }
}

/** What is archived of batches, and is to go. */
const archivedOf = ({ batches, closed }: Removal): string[] => [
  ...batches.flatMap((batch) => {
    const { archived } = batch.pointer
    return [...originalsOf(batch), ...(archived ? [archived.path] : [])]
  }),
  ...closed.flatMap(({ archived }) => archived),
]

/** @throws for the first file that can't be removed before some day. */
async function refuseLocked(storage: Storage, removal: Removal): Promise<void> {
  if (!storage.hinders) return
  for (const path of archivedOf(removal)) {
    const why = await storage.hinders(path)
    if (why !== undefined)
      throw refusal(`${path} can't be removed: ${why}`, 'Forget the rows again once it can be.')
  }
}

/** What lies behind a link is listed by nobody, and so would stay. */
async function refuseLinks(
  storage: Storage,
  { tables, batches }: LakeState,
  removal: Removal,
): Promise<void> {
  const folders = [
    ...Object.values(tables).flatMap(({ metadata }) =>
      ['data', 'metadata'].map((of) => `${tableFolder(metadata)}/${of}`),
    ),
    ...['queries', 'runs'].map((of) => `_moraine/${of}`),
  ]
  const files = [
    ...Object.values(batches).flatMap((all) =>
      all.flatMap(({ manifest, archived }) => [manifest, ...(archived ? [archived.path] : [])]),
    ),
    ...removal.batches.flatMap(filesOf),
    ...archivedOf(removal),
  ]
  const link = await storage.strangeAmong?.([...folders.map((folder) => `${folder}/x`), ...files])
  if (link !== undefined)
    throw refusal(
      `${link} is a link, and what lies behind it would stay`,
      'Put what it leads to in its place. The folders at the top of a lake may be links.',
    )
}
