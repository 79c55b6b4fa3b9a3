import { relationsIn } from '../../branch/why/relations.js'
import { filesOf } from '../../bronze/without-rows.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { unfinished } from '../../log/forgotten.js'
import { refuseWriting } from '../../log/format/features.js'
import { whileWriting } from '../../log/live.js'
import { refuseUnbuildable } from './build.js'
import { type Elsewhere, elsewhere } from './elsewhere.js'
import { type Finished, finish } from './finish.js'
import type { Asked, ForgetOptions, SearchContext } from './options.js'
import { refuseWhatStays, refuseWriters } from './refused.js'
import { refuseFinalParts, refuseOthersParts } from './refused-parts.js'
import { type Removal, removalOf } from './removal.js'
import { remove } from './remove.js'
import { Search } from './search.js'

export type { ForgetOptions }

/** What forgetting rows does, or did. */
export interface Forgetting {
  /** Rows by bronze datasets and tables. */
  rows: Readonly<Record<string, number>>
  /** Rows of bronze that could not be read and hold the identifying text. */
  unreadable: number
  /** Rows of bronze that may be theirs and stay, by silver datasets. */
  doubtful: Readonly<Record<string, number>>
  batches: number
  /** Discarded batches whose archived files go, as nobody can look into these. */
  closed: number
  /** Files that are written again. */
  files: number
  /** Datasets that are built anew from all of their rows. */
  rebuilt: readonly string[]
  /** Commits that can't be seen any more. */
  commits: number
  elsewhere: Elsewhere
  /** Receipts of calls before that were not finished. */
  unfinished: readonly string[]
}

/** The same, once it was done. */
export interface Done {
  /** The receipts that were finished, with what was removed for each. */
  finished: readonly (Finished & { id: string })[]
}

/** What forgetting rows would do, and what is in its way. */
export interface Looked extends Forgetting {
  /** Why they can't be removed from everywhere as long as it is so. */
  refused?: MoraineError
}

/** Says what forgetting rows would do, also where something is in its way; nothing is changed. */
export async function forgettingOf(
  options: ForgetOptions,
  session: Session,
  asked: Asked,
): Promise<Looked> {
  const { context, removal } = await look(options, session, asked)
  const refused = await refuse(context, removal).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof MoraineError && error.kind === 'usage') return error
      throw error
    },
  )
  const told = described(context, removal).catch((error) => {
    throw refused ?? error
  })
  return { ...(await told), ...(refused ? { refused } : {}) }
}

/**
 * Removes rows of a person from all that the lake has: first from the newest state, in one commit,
 * then from what is made of it, and last all that only earlier states lead to. A call that was
 * stopped is gone on with by the next one, whomever that asks about.
 */
export async function forget(
  options: ForgetOptions,
  session: Session,
  asked: Asked,
): Promise<Forgetting & Done> {
  const { storage, log, author } = options
  const finished: (Finished & { id: string })[] = []
  await refuseWriters(storage)
  for (const receipt of unfinished(await log.head()))
    finished.push({ id: receipt.id, ...(await finish(options, receipt)) })
  const { context, removal } = await look(options, session, asked)
  await refuse(context, removal)
  const told = await described(context, removal)
  if (removal.batches.length + removal.tables.length === 0) return { ...told, finished }
  await whileWriting(storage, log, { command: 'forget', author }, () =>
    remove(context, removal, author),
  )
  for (const receipt of unfinished(await log.head()))
    finished.push({ id: receipt.id, ...(await finish(options, receipt)) })
  return { ...told, finished }
}

async function look(options: ForgetOptions, session: Session, asked: Asked) {
  const { lake, storage, log, javascript, signal } = options
  const state = await log.head()
  refuseWriting(state)
  if (log.branch !== 'main')
    throw new MoraineError('usage', 'Rows are forgotten on main, and not on a branch')
  const relations = await relationsIn(storage, state, lake)
  const context: SearchContext = {
    ...{ lake, storage, log, state, relations, session, javascript, signal },
  }
  const found = await new Search(context, asked).find()
  return { context, removal: await removalOf(context, found) }
}

/** @throws MoraineError of kind `usage` where rows can't be removed from everywhere. */
async function refuse(context: SearchContext, removal: Removal): Promise<void> {
  if (removal.batches.length + removal.tables.length === 0) return
  await refuseWhatStays(context, removal)
  await refuseFinalParts(context, removal)
  await refuseOthersParts(context, removal)
  await refuseUnbuildable(context, removal)
}

async function described(context: SearchContext, removal: Removal): Promise<Forgetting> {
  const { state } = context
  const { batches, closed, tables, rows, unreadable, doubtful, rebuilt } = removal
  const files = batches.flatMap(filesOf)
  return {
    ...{ rows, unreadable, doubtful, batches: batches.length, closed: closed.length },
    files: files.length + tables.reduce((sum, { tasks }) => sum + tasks.length, 0),
    rebuilt: [...rebuilt.keys()],
    commits: state.number - Math.max(0, (state.horizon ?? 1) - 1),
    elsewhere: await elsewhere(context, state, removal),
    unfinished: unfinished(state).map(({ id }) => id),
  }
}
