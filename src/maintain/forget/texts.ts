import type { Dialect } from '../../sql/dialect.js'

/** A text as a pattern that matches it and nothing else. */
const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

const WORD = '0-9A-Za-z_'
/** What addresses and names may have beside: `ada@example.org` is not in `x.ada@example.org`. */
const ID = `${WORD}.@+\\-\\x{80}-\\x{10FFFF}`

const patternOf = (texts: readonly string[], others: string) =>
  `(^|[^${others}])(${texts.map(literal).join('|')})($|[^${others}])`

/**
 * SQL whether a text has one of others in it, as words of their own: `42` is in `{"id":"42"}`, and
 * not in `142`. That is no proof that a row is theirs.
 */
export function mentions({ patterns }: Dialect, text: string, others: readonly string[]): string {
  if (others.length === 0) return 'false'
  return `coalesce(${patterns.finds(text, patternOf(others, WORD))}, false)`
}

/** Shorter values are in rows of others, too, by chance. */
const TELLING = 6

/** SQL whether a text has one of others in it that is long enough to be nobody else's. */
export function tells({ patterns }: Dialect, text: string, others: readonly string[]): string {
  const long = others.filter(({ length }) => length >= TELLING)
  if (long.length === 0) return 'false'
  return `coalesce(${patterns.finds(text, patternOf(long, ID))}, false)`
}
