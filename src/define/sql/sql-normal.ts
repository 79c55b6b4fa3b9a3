const TOKEN =
  /\s+|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/|[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|\.\d[\w.]*|(?:(?!--|\/\*)[<>=!|&:+*/%^~@#-])+|[\s\S]/g

const isBlank = (token: string) => /^(\s|--|\/\*)/.test(token)
const tokensOf = (sql: string): string[] => sql.match(TOKEN) ?? []

/**
 * SQL without comments and with one space between its tokens: two texts that differ in formatting
 * only come out the same. Literals and quoted names stay as they are. It is compared, and not run:
 * `1e-5` and `x'2A'` are several tokens here.
 */
export function normalSql(sql: string): string {
  const tokens = tokensOf(sql).filter((token) => !isBlank(token))
  return tokens.map((token) => token.replace(/^[eE](?=')/, '$& ')).join(' ')
}

/** The same SQL on one line, but for literals and quoted names that have several. */
export function sqlOnOneLine(sql: string): string {
  return tokensOf(sql)
    .map((token) => (isBlank(token) ? ' ' : token))
    .join('')
    .trim()
}
