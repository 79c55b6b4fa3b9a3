import { quoteName } from '../../../define/sql/sql.js'
import { PgError } from '../pg-error.js'
import { constantIn, meaningful, nameIn, type Token, textOf, tokensOf } from '../sql/tokens.js'
import { castSql, foreignType, listConstant } from './casts.js'
import { type FunctionContext, isRewritten, rewrittenCall, rewrittenWord } from './functions.js'
import { catalogRelation } from './relations/all.js'
import type { Visible } from './visible.js'

interface Spaced extends Token {
  /** What stands before it. */
  space: string
}

/** A piece of the statement as it is written for the engine. */
interface Piece {
  sql: string
  next: number
  /** The one token that it is, where it is one. */
  token?: Token | undefined
  /** What PostgreSQL calls a column of it, where the engine would call it otherwise. */
  title?: string | undefined
}

/** A statement for the engine, and the relations of catalogs that it reads. */
export interface Rewritten {
  sql: string
  /** Schemas and names. */
  relations: readonly (readonly [schema: string, name: string])[]
}

const SCHEMAS = ['pg_catalog', 'information_schema']
/** Words after which a name is that of a table. */
const BEFORE_TABLE = /^(from|join|,)$/
/** Words that are no alias of a table. */
const NO_ALIAS =
  /^(where|on|using|join|inner|left|right|full|cross|natural|group|order|having|limit|offset|union|except|intersect|window|fetch|for|lateral|tablesample|as)$/

/** Functions that stand in FROM; an array is a row of one. */
const SETS = /^(generate_series|string_to_array)$/

/** Words that begin something, where a name would be a value. */
const NO_VALUE =
  /^(select|distinct|all|any|some|where|and|or|not|on|when|then|else|case|having|by|between|in|like|ilike|limit|offset|values|array|row|exists|interval|filter|using|qualify|union|except|intersect)$/i

const isName = ({ kind, text }: Token): boolean =>
  kind === 'quoted' || (kind === 'word' && !NO_VALUE.test(text))

/** Whether an operator after it has something on its left. */
const endsValue = (token: Token): boolean =>
  token.kind === 'operator'
    ? false
    : token.kind === 'mark'
      ? /^[)\]]$/.test(token.text)
      : token.kind !== 'word' || isName(token)

/** The name of a relation of a catalog within the statement. */
export const relationName = (schema: string, name: string) => quoteName(`${schema}.${name}`)

/** Writes what clients ask of PostgreSQL's catalogs so that the engine can answer it. */
export function rewriteCatalog(
  sql: string,
  visible: Visible,
  values: readonly unknown[] = [],
): Rewritten {
  const rewriter = new Rewriter(spaced(sql), visible, values)
  return { sql: rewriter.all(), relations: rewriter.relations }
}

function spaced(sql: string): Spaced[] {
  let space = ''
  const found: Spaced[] = []
  for (const token of tokensOf(sql)) {
    if (token.kind === 'space') space += token.text
    else {
      found.push({ ...token, space })
      space = ''
    }
  }
  return found
}

/** Parentheses within parentheses, and how many there may be. */
const DEEPEST = 200

/** Characters of what a call is written as. */
const LONGEST = 262_144

/**
 * Some functions name what they are given several times, and that may be a call of one again.
 *
 * @throws PgError where the statement would grow beyond what the service takes.
 */
function bounded(sql: string): string {
  if (sql.length <= LONGEST) return sql
  throw new PgError('54001', 'The statement has too many calls of functions within each other')
}

/** Where parentheses end, by where they begin. */
function endsOf(tokens: readonly Token[]): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  const open: number[] = []
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== 'mark') return
    if (text === '(') open.push(at)
    if (open.length > DEEPEST)
      throw new PgError('54001', `The statement has more than ${DEEPEST} nested parentheses`)
    const begun = text === ')' ? open.pop() : undefined
    if (begun !== undefined) ends.set(begun, at)
  })
  return ends
}

class Rewriter {
  private readonly ends: ReadonlyMap<number, number>
  private readonly used = new Map<string, readonly [string, string]>()
  private readonly context: FunctionContext

  constructor(
    private readonly tokens: readonly Spaced[],
    visible: Visible,
    values: readonly unknown[],
  ) {
    this.ends = endsOf(tokens)
    const constantOf = ({ kind, text }: Token) => {
      const value = kind === 'parameter' ? values[Number(text.slice(1)) - 1] : undefined
      return typeof value === 'string' ? value : undefined
    }
    this.context = { visible, constantOf, relation: (name) => this.use('pg_catalog', name) }
  }

  get relations() {
    return [...this.used.values()]
  }

  all(): string {
    return this.range(0, this.tokens.length)
  }

  private use(schema: string, name: string): string {
    this.used.set(`${schema}.${name}`, [schema, name])
    return relationName(schema, name)
  }

  private range(from: number, to: number): string {
    const out: string[] = []
    let isSelecting = false
    for (let at = from; at < to; ) {
      const { text, space } = this.tokens[at] as Spaced
      if (/^select$/i.test(text)) isSelecting = true
      else if (/^(from|where|group|order|union|limit)$/i.test(text)) isSelecting = false
      const { sql, next, title } = this.casted(at, this.piece(at))
      const isItem = isSelecting && title !== undefined && this.isItem(at, next, to)
      out.push(space, isItem ? `${sql} AS ${quoteName(title)}` : sql)
      at = next
    }
    return out.join('')
  }

  /** Whether this is all of a column of a SELECT, without a name. */
  private isItem(at: number, next: number, to: number): boolean {
    const before = this.tokens[at - 1]?.text.toLowerCase() ?? ''
    const after = next < to ? (this.tokens[next]?.text.toLowerCase() ?? '') : ''
    return /^(select|distinct|all|,)$/.test(before) && /^(,|from|where|union|limit|)$/.test(after)
  }

  private piece(at: number): Piece {
    const { tokens } = this
    const token = tokens[at] as Spaced
    if (token.text === '(') return this.group(at)
    if (token.kind === 'word' || token.kind === 'quoted') return this.named(at)
    if (token.kind === 'operator' && /^!?~$/.test(token.text))
      return this.matched(at, token.text, 1)
    return { sql: token.text, next: at + 1, token }
  }

  private group(at: number): Piece {
    const end = this.closing(at)
    return { sql: `(${this.range(at + 1, end)}${this.tokens[end]?.space ?? ''})`, next: end + 1 }
  }

  /** Where what opens here ends. */
  private closing(at: number): number {
    return this.ends.get(at) ?? this.tokens.length
  }

  private named(at: number): Piece {
    const { tokens } = this
    const token = tokens[at] as Spaced
    const name = nameIn(token) as string
    const text = (i: number) => tokens[i]?.text
    if (token.kind === 'word') {
      if (name === 'operator' && text(at + 1) === '(') return this.operator(at)
      if (name === 'collate') return this.collation(at)
      if (name === 'cast' && text(at + 1) === '(') return this.castCall(at)
    }
    if (text(at - 1) === '.') return { sql: token.text, next: at + 1, token }
    if (SCHEMAS.includes(name) && text(at + 1) === '.') return this.qualified(at, name)
    if (text(at + 1) === '(') return this.call(at, name)
    if (
      BEFORE_TABLE.test(text(at - 1)?.toLowerCase() ?? '') &&
      text(at + 1) !== '.' &&
      /^pg_/.test(name)
    )
      return this.table(at, 'pg_catalog', at)
    const isPlain = token.kind === 'word' && text(at + 1) !== '.' && !this.isAlias(at)
    const word = isPlain ? rewrittenWord(name, this.context) : undefined
    return word === undefined
      ? { sql: token.text, next: at + 1, token }
      : { sql: word, next: at + 1, title: name }
  }

  private isAlias(at: number): boolean {
    return this.tokens[at - 1]?.text.toLowerCase() === 'as'
  }

  /** `pg_catalog.x`, which may be a relation, a function, or a type. */
  private qualified(at: number, schema: string): Piece {
    const { tokens } = this
    const name = nameIn(tokens[at + 2])
    if (name === undefined) return { sql: (tokens[at] as Spaced).text, next: at + 1 }
    if (tokens[at + 3]?.text === '(') return this.call(at + 2, name)
    // A column, with the whole name of its table.
    if (tokens[at + 3]?.text === '.' && catalogRelation(schema, name))
      return { sql: quoteName(name), next: at + 3 }
    return this.table(at + 2, schema, at)
  }

  private table(at: number, schema: string, from: number): Piece {
    const { tokens } = this
    const name = nameIn(tokens[at] as Spaced) as string
    if (!catalogRelation(schema, name))
      return { sql: textOf(tokens.slice(from, at + 1)), next: at + 1 }
    const next = tokens[at + 1]
    const word = nameIn(next)
    const isNamed =
      next?.text.toLowerCase() === 'as' ||
      (word !== undefined && !(next?.kind === 'word' && NO_ALIAS.test(word)))
    const isTable = BEFORE_TABLE.test(tokens[from - 1]?.text.toLowerCase() ?? '')
    const alias = isTable && !isNamed ? ` AS ${quoteName(name)}` : ''
    return { sql: `${this.use(schema, name)}${alias}`, next: at + 1 }
  }

  private call(at: number, name: string): Piece {
    const end = this.closing(at + 1)
    const before = this.tokens[at - 1]?.text.toLowerCase() ?? ''
    // A function that stands for a table.
    if (
      BEFORE_TABLE.test(before) ||
      (before === '.' && BEFORE_TABLE.test(this.tokens[at - 3]?.text.toLowerCase() ?? ''))
    )
      if (catalogRelation('pg_catalog', name))
        return { sql: this.use('pg_catalog', name), next: end + 1 }
    if (BEFORE_TABLE.test(before) && SETS.test(name)) return this.setCall(at, name)
    // What is within a call is written once: calls within calls would double it each time.
    const args = isRewritten(name) ? this.arguments(at + 2, end) : undefined
    const sql = args && rewrittenCall(name, args, this.context)
    if (sql !== undefined) return { sql: bounded(sql), next: end + 1, title: name }
    const { text } = this.tokens[at] as Spaced
    const inside = args?.join(', ') ?? this.range(at + 2, end)
    return { sql: `${text}${this.tokens[at + 1]?.space}(${inside})`, next: end + 1 }
  }

  /** A function in FROM whose alias names its rows and its one column. */
  private setCall(at: number, name: string): Piece {
    const end = this.closing(at + 1)
    const as = this.tokens[end + 1]?.text.toLowerCase() === 'as' ? end + 2 : end + 1
    const alias = nameIn(this.tokens[as])
    const isAlias =
      alias !== undefined && !NO_ALIAS.test(alias) && this.tokens[as + 1]?.text !== '('
    const call = `${name}(${this.arguments(at + 2, end).join(', ')})`
    const sql = name === 'string_to_array' ? `(SELECT ${call})` : call
    if (!isAlias) return { sql, next: end + 1 }
    return { sql: `${sql} AS ${quoteName(alias)}(${quoteName(alias)})`, next: as + 1 }
  }

  private arguments(from: number, to: number): string[] {
    const args: string[] = []
    let depth = 0
    let start = from
    for (let i = from; i < to; i++) {
      const { text } = this.tokens[i] as Spaced
      if (text === '(' || text === '[') depth++
      if (text === ')' || text === ']') depth--
      if (text !== ',' || depth > 0) continue
      args.push(this.range(start, i).trim())
      start = i + 1
    }
    return to > start ? [...args, this.range(start, to).trim()] : args
  }

  /** `OPERATOR(pg_catalog.~)`. */
  private operator(at: number): Piece {
    const end = this.closing(at + 1)
    const { text } = this.tokens[end - 1] as Spaced
    if (/^!?~$/.test(text)) return this.matched(at, text, end + 1 - at)
    return { sql: text, next: end + 1 }
  }

  /** A pattern may match a part of a text; the engine's has to match all of it. */
  private matched(at: number, operator: string, length: number): Piece {
    const token = this.tokens[at + length]
    const pattern = token && constantIn(token)
    if (pattern === undefined || !token) return this.matchedValue(at, operator, length)
    const whole = `(?s:.*)(?:${pattern})(?s:.*)`
    return {
      sql: `${operator}${token.space || ' '}'${whole.replaceAll("'", "''")}'`,
      next: at + length + 1,
    }
  }

  /** The same with a pattern that is a parameter, a column, or what a function gives. */
  private matchedValue(at: number, operator: string, length: number): Piece {
    const from = at + length
    const left = this.tokens[at - 1]
    const right = this.tokens[from]
    const isValue = right && (right.text === '(' || right.kind === 'parameter' || isName(right))
    if (!left || !endsValue(left) || !isValue) return { sql: operator, next: from }
    const { sql, next } = this.casted(from, this.piece(from))
    // It goes on: what it is of, rather than it, would be put together.
    if (this.tokens[next]?.text === '[') return { sql: `${operator} ${sql}`, next }
    return { sql: `${operator} ('(?s:.*)(?:' || CAST(${sql} AS VARCHAR) || ')(?s:.*)')`, next }
  }

  /** All texts are compared as their bytes are. */
  private collation(at: number): Piece {
    const isQualified = this.tokens[at + 2]?.text === '.'
    const name = nameIn(this.tokens[at + (isQualified ? 3 : 1)])
    if (name === undefined || !/^(default|c|posix|ucs_basic)$/i.test(name))
      return { sql: (this.tokens[at] as Spaced).text, next: at + 1 }
    return { sql: '', next: at + (isQualified ? 4 : 2) }
  }

  /** `CAST(x AS type)`. */
  private castCall(at: number): Piece {
    const { tokens } = this
    const end = this.closing(at + 1)
    let depth = 0
    let as = -1
    for (let i = at + 2; i < end; i++) {
      const { text } = tokens[i] as Spaced
      if (text === '(') depth++
      if (text === ')') depth--
      if (depth === 0 && text.toLowerCase() === 'as') as = i
    }
    const type = as < 0 ? undefined : foreignType(tokens, as + 1)
    if (!type || type.next !== end)
      return { sql: `CAST(${this.range(at + 2, end)})`, next: end + 1 }
    const only = as === at + 3 ? tokens[at + 2] : undefined
    const sql = castSql(this.range(at + 2, as).trim(), only, type, this.context)
    return { sql: bounded(sql), next: end + 1 }
  }

  /** A piece with the casts that follow it. */
  private casted(at: number, piece: Piece): Piece {
    const { tokens } = this
    let { sql, next, token, title } = piece
    let last = nameIn(token)
    // A name goes on to its last part, and to what is taken of it.
    while (tokens[next]?.text === '.' && token && nameIn(token) !== undefined) {
      const part = tokens[next + 1]
      if (!part || nameIn(part) === undefined || tokens[next + 2]?.text === '(') break
      sql += `.${part.text}`
      next += 2
      last = nameIn(part)
    }
    while (tokens[next]?.text === '::') {
      const type = foreignType(tokens, next + 1)
      if (!type) {
        const list = /^\[$/.test(tokens[next + 2]?.text ?? '')
          ? listConstant(token && constantIn(token))
          : undefined
        if (list) sql = list
        break
      }
      sql = bounded(castSql(sql, next === at + 1 ? token : undefined, type, this.context))
      next = type.next
      token = undefined
      title = last ?? title ?? type.name
    }
    return { sql, next, title }
  }
}

/** Whether a statement begins with WITH, and where what it names begins. */
export function withClause(sql: string): { isRecursive: boolean; rest: string } | undefined {
  const tokens = tokensOf(sql)
  const [first, second] = meaningful(tokens)
  if (!first || nameIn(first) !== 'with' || first.kind !== 'word') return undefined
  const isRecursive = second?.kind === 'word' && nameIn(second) === 'recursive'
  const last = tokens.indexOf((isRecursive ? second : first) as Token)
  return { isRecursive, rest: textOf(tokens.slice(last + 1)) }
}
