import { NotPortable, type Offset } from './tree.js'

/** A node of the binder's JSON. */
export type Raw = Record<string, unknown>

export const listOf = (value: unknown): readonly Raw[] => (Array.isArray(value) ? value : [])

/** Where a node stands; the binder says a number beyond all texts where it made it by itself. */
export function offsetOf(raw: Raw): Offset {
  const at = raw.query_location
  return typeof at === 'number' && at < 2 ** 32 ? at : undefined
}

/** What this version does not know is never passed over. */
export function unknown(what: string, at: Offset): NotPortable {
  return new NotPortable(
    `${what} can't be written for other engines`,
    'Leave it out, or let DuckDB compute this dataset',
    at,
  )
}

/** Fields that a node may have only with a value that means nothing. */
export function refuseFields(raw: Raw, names: Readonly<Record<string, string>>): void {
  for (const [name, what] of Object.entries(names)) {
    const value = raw[name]
    const empty = Array.isArray(value) ? value.length === 0 : !value
    if (!empty) throw unknown(what, offsetOf(raw))
  }
}

/** `LOGICAL_ANY_JOIN` as `any join`. */
export const inWords = (name: unknown) =>
  String(name)
    .replace(/^(LOGICAL|BOUND|OPERATOR|COMPARE|WINDOW)_/, '')
    .replaceAll('_', ' ')
    .toLowerCase()
