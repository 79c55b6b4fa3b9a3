/** What may stand before the first word of SQL. */
const BEFORE = String.raw`(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`
const EXPLAIN = new RegExp(`^(${BEFORE})(explain)(?=\\s|/\\*|--)`, 'i')

/** Whether SQL asks how a query would run. */
export const isExplained = (sql: string): boolean => EXPLAIN.test(sql)

/** The query that is explained; all of it stands where it stood. */
export const explainedQuery = (sql: string): string =>
  sql.replace(EXPLAIN, (_, before: string, word: string) => before + ' '.repeat(word.length))
