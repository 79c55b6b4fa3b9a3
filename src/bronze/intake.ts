import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import type { FilesSource } from '../define/source.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { type QuarantinedObject, quarantinedOf } from '../log/quarantined.js'
import { decideIntake } from '../plan/plan.js'
import type { Databases } from '../source/database/open.js'
import type { Window } from '../source/database/reader.js'
import type { Batches } from '../step/batches.js'
import { addedTo, nothingYet } from './batch-commit.js'
import type { Intake, Offer } from './offer.js'
import type { ReadObject } from './quarantine/retry.js'

/** What is asked of sources beyond what they have that is new. */
interface Wanted {
  /** Rows of databases whose cursor lies there are read again. */
  backfill?: Window | undefined
  /** Whether databases that feed inboxes are asked for rows. */
  feeds?: boolean | undefined
  /** All files are read again. */
  reread?: boolean
}

/** Looks at a source without reading its rows; of an inbox also at the database that feeds it, where that is wanted. */
export async function discover(
  dataset: Bronze,
  state: LakeState,
  batches: Batches,
  databases: Databases,
  wanted: Wanted = {},
): Promise<Offer> {
  const offer = await offerOf(dataset, state, batches, databases, wanted)
  return withQuarantine(dataset, state, offer)
}

/** What a source offers, and behind it what is in quarantine and to be tried again: it must not keep that from being read. */
function withQuarantine(dataset: Bronze, state: LakeState, offer: Offer): Offer {
  const name = fullName(dataset)
  const before = quarantinedOf(state, name)
  const again = before.filter(({ held }) => !held).length
  const { discovery, take } = offer
  const hasNews = decideIntake(discovery).action !== 'none'
  return {
    discovery: again > 0 ? { ...discovery, again } : discovery,
    take: async (context, base) => {
      const done = hasNews ? await take(context, base) : nothingYet(base)
      // What has just failed is for the next run; that a process ended says little, and is looked into at once.
      const known = new Set(before.map(({ id }) => id))
      const tried = quarantinedOf(done.state, name).filter(
        ({ id, held, crashes }) => !held && (crashes || known.has(id)),
      )
      if (tried.length === 0) return done
      const { retryQuarantined } = await import('./quarantine/retry.js')
      const { state } = done
      const more = await retryQuarantined(context, dataset, state, tried, readAgain(dataset))
      return { ...addedTo(done, more), setAside: stillAside(name, done, more) }
    },
  }
}

/** What is in quarantine after all, of what was set aside and then tried again; as it was found last. */
function stillAside(dataset: string, done: Intake, more: Intake): QuarantinedObject[] {
  const there = new Set(quarantinedOf(more.state, dataset).map(({ id }) => id))
  const all = [...(done.setAside ?? []), ...(more.setAside ?? [])]
  return [...new Map(all.map((one) => [one.id, one])).values()].filter(({ id }) => there.has(id))
}

/*
 * What reads a kind of source is loaded when a dataset has one: a command looks at some, and to
 * load all takes longer than that.
 */

/** Reads objects of a dataset's quarantine. */
export function readAgain(dataset: Bronze): ReadObject {
  const { from } = dataset
  return async (context, object, batch, done) => {
    if (from.kind === 'inbox') {
      const { readDropped } = await import('./inbox/inbox.js')
      return readDropped(context, dataset, from, object, batch, done)
    }
    if (from.kind === 'files') {
      const { readFileAgain } = await import('./files/files.js')
      return readFileAgain(context, dataset, from, object, batch, done)
    }
    if (from.kind === 'ingest') {
      const { readRequest } = await import('./ingest/ingest.js')
      return readRequest(context, dataset, from, object, batch)
    }
    throw new MoraineError('source', `${fullName(dataset)} no longer reads such objects`)
  }
}

async function offerOf(
  dataset: Bronze,
  state: LakeState,
  batches: Batches,
  databases: Databases,
  { backfill, feeds = true, reread = false }: Wanted,
): Promise<Offer> {
  const { from } = dataset
  switch (from.kind) {
    case 'files':
      return offerOfFiles(dataset, from, state, { batches, reread })
    case 'ingest': {
      const { discoverLanded } = await import('./ingest/ingest.js')
      return discoverLanded(dataset, from, batches)
    }
    case 'inbox': {
      const { discoverDropped } = await import('./inbox/inbox.js')
      const source = feeds ? from : { ...from, feed: undefined }
      return discoverDropped(dataset, source, state, batches, databases)
    }
    case 'http': {
      const { discoverAnswers } = await import('./http.js')
      return discoverAnswers(dataset, from, state)
    }
    default: {
      const { discoverRows } = await import('./database/database.js')
      return discoverRows(dataset, from, state, databases, backfill)
    }
  }
}

async function offerOfFiles(
  dataset: Bronze,
  from: FilesSource,
  state: LakeState,
  { batches, reread }: { batches: Batches; reread: boolean },
): Promise<Offer> {
  if (from.follow) {
    const { discoverLogs } = await import('./files/logs.js')
    return discoverLogs(dataset, from, state, batches)
  }
  if (from.full) {
    const { discoverFull } = await import('./files/full-extract.js')
    return discoverFull(dataset, from, from.full, state)
  }
  const { discoverFiles } = await import('./files/files.js')
  return discoverFiles(dataset, from, state, batches, reread)
}
