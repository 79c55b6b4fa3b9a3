import { secondsOf } from '../interval.js'
import type { Source } from '../source.js'
import { flag, interval, object, oneOf, text } from './expected.js'
import type { Expected, OptionList } from './options.js'

/** Where commands work with `--env NAME`. */
export interface Environment {
  /** Folder or bucket that holds the lake, instead of the `root` of `lake.ts`. */
  root?: string
  /**
   * The branch of the lake, or a function that makes its name of the user's: `user => 'dev-' +
   * user`. Characters that a name can't have become `-`, and digits behind tell such a name from
   * others. `moraine run` creates it.
   */
  branch?: string | ((user: string) => string)
  /** How long after its last commit such a branch is deleted by vacuum: `14d`. */
  ttl?: string
  /**
   * Where bronze datasets are read from there instead, by their full names: another source, or the
   * first rows of their own: `{ 'bronze.orders': { sample: 10_000 } }`. On a branch such rows are
   * kept apart, and nothing that is built of them can be promoted.
   */
  sources?: Readonly<Record<`bronze.${string}`, Source<any> | Sample>>
  /**
   * Whether warehouses have the tables of its lake: one with a root of its own exports nothing
   * unless it says `true`, and one with a branch or `sources` nothing at all.
   */
  exports?: boolean
  /** Whether `moraine serve` alerts people: one with a root of its own only if it says `true`. */
  alerts?: boolean
  /**
   * Whether inboxes and queues that lie elsewhere are emptied into its lake: one with a root of its
   * own leaves them to the lake itself unless it says `true`.
   */
  inboxes?: boolean
}

/** The first rows of a dataset's own source. */
export interface Sample {
  /** How many rows are read at most, once. */
  sample: number
}

/**
 * What a change may do to tables without anybody's approval: a share of a table's rows (`1%`), or a
 * number of them.
 */
export interface ReviewPolicy {
  /** Rows of a table that are removed. */
  maxRemoved?: string
  /** Rows of a table, paired by its key, that have other values. */
  maxChanged?: string
  /** Rows that are discarded and were not before. */
  maxDiscarded?: string
  /** Whether columns that readers may use may be removed, or change type: `approve` by default. */
  breaking?: 'approve' | 'allow'
}

const environmentOptions: OptionList<Environment> = {
  root: text,
  branch: {
    is: 'a text or a function',
    fits: (value) => ['string', 'function'].includes(typeof value),
  },
  ttl: {
    ...interval,
    fits: (value) => typeof value === 'string' && secondsOf(value) !== undefined,
  },
  sources: object,
  exports: flag,
  alerts: flag,
  inboxes: flag,
}

export const environments: Expected = {
  is: 'an object of environments, each with a root, a branch, or both',
  fits: (value) =>
    object.fits(value) &&
    Object.keys(value as object).every((name) => /^[a-z][a-z0-9_-]*$/.test(name)),
  advise: () => "Write { dev: { branch: (user) => 'dev-' + user }, prod: { root: 's3://…' } }",
  each: environmentOptions,
}

const share: Expected = {
  is: "a share such as '1%', or a number of rows such as '100'",
  fits: (value) => typeof value === 'string' && /^\d+(\.\d+)?%$|^\d+$/.test(value),
  advise: (value) => (typeof value === 'number' ? `In quotes: '${value}'` : undefined),
}

export const reviewPolicy: OptionList<ReviewPolicy> = {
  maxRemoved: share,
  maxChanged: share,
  maxDiscarded: share,
  breaking: oneOf('approve', 'allow'),
}
