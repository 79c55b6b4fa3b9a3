import { FOREIGN } from '../../iceberg/foreign-path.js'

/** Folders that hold nothing but what the log leads to: all that a vacuum removes data from. */
export const VACUUMED = [
  'bronze/',
  'silver/',
  'gold/',
  'discarded/',
  'deleted/',
  'history/',
  'tombstones/',
  // What parts of steps have handed to each other.
  'scratch/',
  // What other engines keep.
  FOREIGN,
  // What `tombstones/` was called by earlier versions.
  'ended/',
]
