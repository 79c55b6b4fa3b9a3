import { refuse } from '../refusal.js'

/** A piece of a statement. */
export interface Token {
  kind:
    | 'word'
    | 'quoted'
    | 'string'
    | 'integer'
    | 'decimal'
    | 'double'
    | 'binary'
    | 'symbol'
    | 'end'
  /** Words in capitals, without quotes what was quoted. */
  text: string
  /** Words as they were written. */
  raw: string
  /** Where it begins, in characters. */
  at: number
}

const SYMBOLS = ['<>', '!=', '<=', '>=', '||', '->', '=>', ...'()[],.;=<>+-*/%?:']
const space = /(?:\s+|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)+/y
const word = /[\p{L}_][\p{L}\p{N}_@$]*/uy
const number = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const hex = /[xX]'([0-9a-fA-F\s]*)'/y

/** The longest statement that Athena takes, in bytes. */
export const LONGEST_STATEMENT = 262_144
const MOST_TOKENS = 100_000

/** The tokens of a statement, with one at its end. */
export function tokens(sql: string): Token[] {
  const found: Token[] = []
  const match = (pattern: RegExp, at: number) => {
    pattern.lastIndex = at
    return pattern.exec(sql)
  }
  let at = match(space, 0)?.[0].length ?? 0
  while (at < sql.length) {
    const token = next(sql, at, match)
    found.push(token.token)
    if (found.length > MOST_TOKENS) throw refuse(sql, at, 'The statement has too many words')
    at = token.end
    at += match(space, at)?.[0].length ?? 0
  }
  found.push({ kind: 'end', text: '', raw: 'the end of the statement', at: sql.length })
  return found
}

type Match = (pattern: RegExp, at: number) => RegExpExecArray | null

function next(sql: string, at: number, match: Match): { token: Token; end: number } {
  const char = sql[at] as string
  const of = (kind: Token['kind'], raw: string, text = raw) => ({
    token: { kind, text, raw, at },
    end: at + raw.length,
  })
  if (char === "'") return quoted(sql, at, "'", 'string')
  if (char === '"') return quoted(sql, at, '"', 'quoted')
  if (char === '`') return quoted(sql, at, '`', 'quoted')
  const binary = match(hex, at)
  if (binary) return of('binary', binary[0], (binary[1] ?? '').replace(/\s/g, ''))
  const digits = match(number, at)
  if (digits) {
    const kind = /[eE]/.test(digits[0]) ? 'double' : digits[0].includes('.') ? 'decimal' : 'integer'
    const after = match(word, at + digits[0].length)
    if (after) throw refuse(sql, at, `'${digits[0]}${after[0]}' is neither a number nor a name`)
    return of(kind, digits[0])
  }
  const name = match(word, at)
  if (name) {
    if (/^u$/i.test(name[0]) && /^&['"]/.test(sql.slice(at + 1, at + 3)))
      throw refuse(
        sql,
        at,
        'Texts with Unicode escapes are not translated',
        'Write the characters.',
      )
    return of('word', name[0], name[0].toUpperCase())
  }
  const symbol = SYMBOLS.find((one) => sql.startsWith(one, at))
  if (symbol) return of('symbol', symbol)
  const shown = String.fromCodePoint(sql.codePointAt(at) as number)
  throw refuse(sql, at, `Unexpected character ${JSON.stringify(shown)}`)
}

function quoted(sql: string, at: number, quote: string, kind: Token['kind']) {
  let text = ''
  for (let from = at + 1; ; ) {
    const end = sql.indexOf(quote, from)
    if (end < 0) throw refuse(sql, at, `The quote ${quote} is not closed`)
    text += sql.slice(from, end)
    if (sql[end + 1] !== quote) {
      const raw = sql.slice(at, end + 1)
      if (text.includes('\0')) throw refuse(sql, at, 'Texts cannot contain the character NUL')
      return { token: { kind, text, raw, at } as Token, end: end + 1 }
    }
    text += quote
    from = end + 2
  }
}
