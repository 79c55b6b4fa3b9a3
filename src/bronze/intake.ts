import { fullName } from '../define/dataset.js'
import type { Bronze } from '../define/model.js'
import { MoraineError } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import { type QuarantinedObject, quarantinedOf } from '../log/quarantined.js'
import { decideIntake } from '../plan/decide.js'
import type { Window } from '../source/database/reader.js'
import { addedTo, nothingYet } from './batch-commit.js'
import type { FilesLookup, Lookup } from './ingestion.js'
import type { Intake, Offer } from './offer.js'
import type { ReadObject } from './quarantine/retry.js'

/** What is asked of sources beyond what they have that is new. */
interface Asked {
  /** Rows of databases whose cursor lies there are read again. */
  backfill?: Window | undefined
  /** Whether databases that feed inboxes are asked for rows. */
  feeds?: boolean | undefined
  /** All files are read again. */
  reread?: boolean
  /** Ids of objects in quarantine that are tried again, however often they have failed. */
  retry?: readonly string[] | undefined
}

/**
 * Looks at a source without reading its rows; of an inbox also at the database that feeds it, where
 * that is asked for.
 */
export async function discover(of: Omit<Lookup, 'source'>, asked: Asked = {}): Promise<Offer> {
  return withQuarantine(of.dataset, of.state, await offerOf(of, asked), new Set(asked.retry))
}

/**
 * What a source offers, and behind it what is in quarantine and to be tried again: it must not keep
 * that from being read.
 */
function withQuarantine(
  dataset: Bronze,
  state: LakeState,
  offer: Offer,
  retry: ReadonlySet<string>,
): Offer {
  const name = fullName(dataset)
  const isTried = ({ id, held }: QuarantinedObject) => !held || retry.has(id)
  const before = quarantinedOf(state, name)
  const again = before.filter(isTried).length
  const { discovery, ingest, tidy } = offer
  const hasNews = decideIntake(discovery).action !== 'none'
  return {
    ...(tidy ? { tidy } : {}),
    discovery: again > 0 ? { ...discovery, again } : discovery,
    ingest: async (context, base) => {
      const done = hasNews ? await ingest(context, base) : nothingYet(base)
      // What has just failed is for the next run; that a process ended says little, and is looked
      // into at once.
      const known = new Set(before.map(({ id }) => id))
      const tried = quarantinedOf(done.state, name).filter(
        (one) => isTried(one) && (one.crashes || known.has(one.id)),
      )
      if (tried.length === 0) return done
      const { retryQuarantined } = await import('./quarantine/retry.js')
      const how = { context, dataset, read: readAgain(dataset) }
      const more = await retryQuarantined(how, done.state, tried)
      return { ...addedTo(done, more), setAside: stillAside(name, done, more) }
    },
  }
}

/**
 * What is in quarantine after all, of what was set aside and then tried again; as it was found
 * last.
 */
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
    const about = { context, dataset }
    if (from.kind === 'inbox') {
      const { readInboxFile } = await import('./inbox/inbox.js')
      return readInboxFile({ ...about, source: from }, object, batch, done)
    }
    if (from.kind === 'files') {
      const { readFileAgain } = await import('./files/read-again.js')
      return readFileAgain({ ...about, source: from }, object, batch, done)
    }
    if (from.kind === 'ingest') {
      const { readRequest } = await import('./ingest/ingest.js')
      return readRequest({ ...about, source: from }, object, batch)
    }
    throw new MoraineError('source', `${fullName(dataset)} no longer reads such objects`)
  }
}

async function offerOf(
  of: Omit<Lookup, 'source'>,
  { backfill, feeds = true, reread = false }: Asked,
): Promise<Offer> {
  const { from } = of.dataset
  switch (from.kind) {
    case 'files':
      return offerOfFiles({ ...of, source: from }, reread)
    case 'ingest': {
      const { discoverLanded } = await import('./ingest/ingest.js')
      return discoverLanded(of.dataset, from, of.batches)
    }
    case 'inbox': {
      const { discoverInbox } = await import('./inbox/inbox.js')
      return discoverInbox({ ...of, source: feeds ? from : { ...from, feed: undefined } })
    }
    case 'http': {
      const { discoverAnswers } = await import('./http.js')
      return discoverAnswers({ ...of, source: from })
    }
    default: {
      const { discoverRows } = await import('./database/database.js')
      return discoverRows({ ...of, source: from }, { backfill })
    }
  }
}

async function offerOfFiles(of: FilesLookup, reread: boolean): Promise<Offer> {
  const { follow, full } = of.source
  if (follow) {
    const { discoverLogs } = await import('./files/logs.js')
    return discoverLogs(of)
  }
  if (full) {
    const { discoverFull } = await import('./files/full-extract.js')
    return discoverFull(of, full)
  }
  const { discoverFiles } = await import('./files/files.js')
  return discoverFiles(of, reread)
}
