import type { Commit, LakeState, TableState } from '../commit.js'

/*
 * Earlier versions wrote commits in other words. They are read as if they had been written in the
 * words of commit.ts, so that nothing else knows of the old ones (ADR 86). Fields keep their order:
 * states are compared as JSON.
 */

/** The feature of all commits that are written in the words of now. */
export const WORDS = 'plain-words'

type Value = Readonly<Record<string, unknown>>

/** The tables that say when keys went had another tier. */
const tableName = (name: string) => name.replace(/^ended\./, 'tombstones.')

/** What becomes of a field: another name, and other words in it. */
type Rename = readonly [name: string, inside?: (value: unknown) => unknown]

const retention = fields({ by: ['column'], until: ['expiredBefore'] })

const table = fields({
  raw: ['inputColumns'],
  same: ['sameRowsAs'],
  driving: ['drivingInputs'],
  lasting: ['expiringInputs'],
  keep: ['retention', retention],
})

const tables = entries(table, tableName)

const batches = list(fields({ whole: ['fullExtract'], names: ['collidingNames'] }))

const ofDatabase = fields({ taken: ['knownRows'], laid: ['feedCommits'] })
/** Those of databases alone say what they read. */
const watermarks = entries((value) =>
  isObject(value) && typeof value.reads === 'string' ? ofDatabase(value) : value,
)

const changes = fields({
  tables: ['tables', tables],
  batches: ['batches', batches],
  watermarks: ['watermarks', watermarks],
  forget: ['expire'],
})

const state = fields({
  tables: ['tables', tables],
  batches: ['batches', entries(batches)],
  watermarks: ['watermarks', watermarks],
  forgotten: ['expired'],
})

/** A commit in the words of now, whichever it was written in. */
export function inPlainWords(commit: Commit): Commit {
  if (!isObject(commit) || (isObject(commit.features) && WORDS in commit.features)) return commit
  return { ...commit, changes: changes(commit.changes) as Commit['changes'] }
}

/** The state of a checkpoint that an earlier version wrote. */
export const stateInPlainWords = (earlier: LakeState): LakeState => state(earlier) as LakeState

/** Tables that a run of an earlier version built, and noted before it was stopped. */
export const tablesInPlainWords = (
  earlier: Readonly<Record<string, TableState>>,
): Record<string, TableState> => tables(earlier) as Record<string, TableState>

/** Renames fields of an object, each at its place; what is none is for others to refuse. */
function fields(renames: Readonly<Record<string, Rename>>): (value: unknown) => unknown {
  return (value) => {
    if (!isObject(value)) return value
    const renamed = Object.entries(value).map(([name, inner]) => {
      const [now, inside] = Object.hasOwn(renames, name) ? (renames[name] as Rename) : [name]
      return [now, inside ? inside(inner) : inner]
    })
    return Object.fromEntries(renamed)
  }
}

/** The same for each value of an object whose names are those of datasets. */
function entries(
  inside: (value: unknown) => unknown,
  named: (name: string) => string = (name) => name,
): (value: unknown) => unknown {
  return (value) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([name, of]) => [named(name), inside(of)]))
      : value
}

function list(inside: (value: unknown) => unknown): (value: unknown) => unknown {
  return (value) => (Array.isArray(value) ? value.map(inside) : value)
}

function isObject(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
