/*
 * Keywords of DuckDB that cannot name a column without quotes (of `duckdb_keywords()`, those that
 * are reserved, and those for types and functions), as far as columns are called so.
 */
const keywords = new Set(
  (
    'all any array asc at authorization binary both check column columns constraint default desc ' +
    'describe end fetch foreign full generated group initially leading left limit map natural ' +
    'offset only order outer placing primary qualify references returning right show similar ' +
    'some struct summarize table to trailing unique using variable verbose when window'
  ).split(' '),
)

/** Those of them that a value may follow. */
const leads = new Set('all both leading limit offset only trailing using when'.split(' '))

/**
 * A keyword at a place in SQL, or just before it, that may be meant as the name of a column. Of
 * two, it is the first, as in `order by at desc`.
 */
export function keywordAt(sql: string, at: number): string | undefined {
  const here = /^\w+/.exec(sql.slice(at))?.[0]
  const before = /(?<![\w".])(\w+)\s*$/.exec(sql.slice(0, at))?.[1]
  const isColumn = before !== undefined && !leads.has(before.toLowerCase())
  return [...(isColumn ? [before] : []), here, before].find(
    (word) => word !== undefined && keywords.has(word.toLowerCase()),
  )
}
