import { landingOf } from '../../bronze/ingest/landing.js'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { leaveInboxes } from '../../define/options/own-sources.js'
import type { Storage } from '../../storage/storage.js'
import { publishedAtOnce } from '../publish.js'

/** A definition that is tried in a lake beside the real one. */
interface Beside {
  lake: Lake
  /** What its inboxes are there, in words. */
  notes(storage: Storage): string[]
}

/**
 * A definition that was just loaded, such that trying it changes nothing but the lake beside: no
 * warehouse is filled, and no inbox emptied whose files the real lake would never have then.
 */
export function besideOf(loaded: Lake): Beside {
  const lake: Lake = { ...publishedAtOnce(loaded), exports: [] }
  const left = leaveInboxes(lake.datasets)
  const notes = (storage: Storage) =>
    left.map((dataset) => {
      const place = storage.locate(landingOf(dataset)).replace(/^file:\/\//, '')
      return `${fullName(dataset)}: its inbox stays as it is; put files to try into ${place}`
    })
  return { lake, notes }
}
