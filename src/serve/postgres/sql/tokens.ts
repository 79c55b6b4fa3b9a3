/** A piece of a statement; all of them together are its text. */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'operator' | 'mark' | 'space'
  text: string
}

/** What a token can be, in the order in which they are tried. */
const forms: readonly (readonly [Token['kind'], RegExp])[] = [
  ['space', /\s+|--[^\n]*/y],
  // Texts with escapes of C; nothing else of PostgreSQL's is written before a quote.
  ['string', /[eE]'(?:[^'\\]|\\[\s\S]|'')*'/y],
  ['string', /'(?:[^']|'')*'/y],
  ['quoted', /"(?:[^"]|"")*"/y],
  ['parameter', /\$\d+/y],
  ['number', /\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?/y],
  ['word', /[A-Za-z_\x80-\uffff][A-Za-z0-9_$\x80-\uffff]*/y],
  ['operator', /::|:=|=>/y],
  ['operator', /(?:(?!--|\/\*)[+\-*/<>=~!@#%^&|`?])+/y],
]

/** What begins a text, a name or a comment, which then has an end. */
const OPENS = /[eE]?'|"|\$(?:[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*)?\$|\/\*/y

/**
 * Cuts a text into tokens, as PostgreSQL's lexer does where `standard_conforming_strings` is on. A
 * text, name or comment without an end is a mark up to the end, which the engine refuses.
 */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < sql.length) {
    const token = tokenAt(sql, at)
    tokens.push(token)
    at += token.text.length
  }
  return tokens
}

function tokenAt(sql: string, at: number): Token {
  OPENS.lastIndex = at
  const opening = OPENS.exec(sql)?.[0]
  if (opening?.startsWith('$')) {
    const end = sql.indexOf(opening, at + opening.length)
    if (end >= 0) return { kind: 'string', text: sql.slice(at, end + opening.length) }
  } else if (opening === '/*') {
    const text = commentAt(sql, at)
    if (text !== undefined) return { kind: 'space', text }
  } else
    for (const [kind, form] of forms) {
      form.lastIndex = at
      const text = form.exec(sql)?.[0]
      if (text && (opening === undefined || kind === 'string' || kind === 'quoted'))
        return { kind, text }
    }
  return { kind: 'mark', text: opening === undefined ? (sql[at] as string) : sql.slice(at) }
}

/** A comment between marks, which can have others in it. */
function commentAt(sql: string, at: number): string | undefined {
  let depth = 0
  const marks = /\/\*|\*\//g
  marks.lastIndex = at
  for (let found = marks.exec(sql); found; found = marks.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return sql.slice(at, marks.lastIndex)
  }
  return undefined
}

/** Those that mean something. */
export function meaningful(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ kind }) => kind !== 'space')
}

/** The statements of a text, which semicolons end; those of nothing but space are left out. */
export function statementsOf(sql: string): string[] {
  const statements: Token[][] = [[]]
  for (const token of tokensOf(sql))
    if (token.text === ';' && token.kind === 'mark') statements.push([])
    else statements.at(-1)?.push(token)
  return statements
    .filter((tokens) => meaningful(tokens).length > 0)
    .map((tokens) => textOf(tokens))
}

export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join('')
}

/** A name as PostgreSQL understands it: without quotes it has no case. */
export function nameIn(token: Token | undefined): string | undefined {
  const { kind, text = '' } = token ?? {}
  if (kind === 'word') return text.toLowerCase()
  return kind === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : undefined
}

/** The value of a plain text constant; `undefined` for one with escapes. */
export function constantIn({ kind, text }: Token): string | undefined {
  if (kind !== 'string' || !text.startsWith("'")) return undefined
  return text.slice(1, -1).replaceAll("''", "'")
}
