const TOKEN =
  /\s+|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$[A-Za-z_]*\$)[\s\S]*?\1|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|\.\d[\w.]*|[<>=!|&:+*/%^~@#-]+|[\s\S]/g

/**
 * SQL without comments and with one space between its tokens: two texts that differ in formatting
 * only come out the same. Literals and quoted names stay as they are.
 */
export function normalSql(sql: string): string {
  const tokens = sql.match(TOKEN) ?? []
  return tokens.filter((token) => !/^(\s|--|\/\*)/.test(token)).join(' ')
}
