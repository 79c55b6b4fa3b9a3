import { refuse } from '../refusal.js'
import { type Token, tokens } from './tokens.js'
import type { Expression, Query } from './tree.js'

/** Brackets within brackets that a statement may have. */
const DEEPEST = 200

/** Words that are no names unless they are quoted. */
const RESERVED = new Set(
  `ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_DATE CURRENT_TIME
  CURRENT_TIMESTAMP DEALLOCATE DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE EXCEPT EXECUTE EXISTS
  EXTRACT FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN LEFT LIKE
  LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT
  ROLLUP SELECT SKIP TABLE THEN TRUE UESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH`
    .trim()
    .split(/\s+/),
)

/** The parts of a grammar that stand within each other. */
export interface Grammar {
  expression: (cursor: Cursor) => Expression
  query: (cursor: Cursor) => Query
  /** What stands on a side of a comparison. */
  operand: (cursor: Cursor) => Expression
}

/** Goes through the tokens of a statement. */
export class Cursor {
  private readonly tokens: readonly Token[]
  private index = 0
  private depth = 0
  /** What stands for the `?` that comes next. */
  private parameter = 0

  /** @param parameters what stands for each `?`. */
  constructor(
    readonly sql: string,
    private readonly grammar: Grammar,
    readonly parameters: readonly string[] = [],
  ) {
    this.tokens = tokens(sql)
  }

  expression(): Expression {
    return this.grammar.expression(this)
  }

  operand(): Expression {
    return this.grammar.operand(this)
  }

  query(): Query {
    return this.grammar.query(this)
  }

  /** The same for another text. */
  over(text: string): Cursor {
    return new Cursor(text, this.grammar)
  }

  get token(): Token {
    return this.tokens[this.index] as Token
  }

  ahead(by = 1): Token {
    return this.tokens[Math.min(this.index + by, this.tokens.length - 1)] as Token
  }

  next(): Token {
    const { token } = this
    if (token.kind !== 'end') this.index++
    return token
  }

  /** Whether these words come next. */
  at(...words: string[]): boolean {
    return words.every((word, i) => {
      const { kind, text } = this.ahead(i)
      return kind === 'word' && text === word
    })
  }

  atAny(words: readonly string[]): boolean {
    return words.some((word) => this.at(word))
  }

  /** Takes these words where they come next. */
  take(...words: string[]): boolean {
    if (!this.at(...words)) return false
    this.index += words.length
    return true
  }

  isSymbol(text: string, by = 0): boolean {
    const token = this.ahead(by)
    return token.kind === 'symbol' && token.text === text
  }

  takeSymbol(text: string): boolean {
    if (!this.isSymbol(text)) return false
    this.index++
    return true
  }

  expect(...words: string[]): void {
    if (!this.take(...words)) throw this.unexpected(words.join(' '))
  }

  expectSymbol(text: string): void {
    if (!this.takeSymbol(text)) throw this.unexpected(`'${text}'`)
  }

  string(what = 'a text in quotes'): string {
    if (this.token.kind !== 'string') throw this.unexpected(what)
    return this.next().text
  }

  /** A name, as it is written. */
  name(what = 'a name'): string {
    if (!this.isName()) throw this.unexpected(what)
    const { kind, text, raw } = this.next()
    return kind === 'word' ? raw : text
  }

  /** The parts of a name: `catalog.schema.table`. */
  path(): string[] {
    const parts = [this.name()]
    while (this.takeSymbol('.')) parts.push(this.name())
    return parts
  }

  isName(by = 0): boolean {
    const { kind, text } = this.ahead(by)
    return (kind === 'quoted' && text !== '') || (kind === 'word' && !RESERVED.has(text))
  }

  list<T>(item: () => T): T[] {
    const items = [item()]
    while (this.takeSymbol(',')) items.push(item())
    return items
  }

  inBrackets<T>(item: () => T): T {
    this.expectSymbol('(')
    const found = this.deeper(item)
    this.expectSymbol(')')
    return found
  }

  deeper<T>(item: () => T): T {
    if (++this.depth > DEEPEST) throw this.refuse('The statement is nested too deeply')
    const found = item()
    this.depth--
    return found
  }

  /** What stands for the `?` here. */
  takeParameter(): string {
    const given = this.parameters[this.parameter++]
    if (given === undefined)
      throw this.refuse(
        `The statement has more than ${this.parameters.length} parameters`,
        'Give a value for each ? in ExecutionParameters.',
      )
    return given
  }

  /** @throws where something is left. */
  end(): void {
    this.takeSymbol(';')
    if (this.token.kind !== 'end') throw this.unexpected('the end')
    const { length } = this.parameters
    if (this.parameter < length)
      throw this.refuse(`The statement has ${this.parameter} parameters, but ${length} were given`)
  }

  unexpected(expected: string): Error {
    const { raw } = this.token
    return this.refuse(`mismatched input '${raw.slice(0, 60)}'. Expecting: ${expected}`)
  }

  refuse(message: string, hint?: string, at = this.token.at): Error {
    return refuse(this.sql, at, message, hint)
  }
}
