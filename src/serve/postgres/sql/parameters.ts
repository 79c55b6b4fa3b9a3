import { PgError } from '../pg-error.js'
import { castOf } from '../types/parameter.js'
import { type Token, textOf, tokensOf } from './tokens.js'

/**
 * A statement in which parameters are cast to the types that the client says: the engine would
 * take a number for one of its largest, and a date for a text.
 *
 * @param oids numbers of types; 0 where the client says none.
 * @param casts the engine's types, where they are known already.
 */
export function withParameterTypes(
  sql: string,
  oids: readonly number[],
  casts: readonly (string | undefined)[] = oids.map(castOf),
): string {
  if (!sql.includes('$')) return sql
  const tokens = tokensOf(sql)
  if (!tokens.some(({ kind }) => kind === 'parameter')) return sql
  return textOf(tokens.map((token, i) => typed(token, casts, () => isLimit(tokens, i))))
}

function typed(
  token: Token,
  casts: readonly (string | undefined)[],
  isLimit: () => boolean,
): Token {
  if (token.kind !== 'parameter') return token
  const cast = casts[Number(token.text.slice(1)) - 1] ?? (isLimit() ? 'BIGINT' : undefined)
  if (cast === undefined) return token
  // Items of lists come as one text of JSON.
  const text = cast.endsWith('[]')
    ? `CAST(CAST(${token.text} AS JSON) AS ${cast})`
    : `CAST(${token.text} AS ${cast})`
  return { kind: 'mark', text }
}

/** Whether it says how many rows are wanted, which the engine takes no text for. */
function isLimit(tokens: readonly Token[], at: number): boolean {
  let before = tokens[at - 1]
  for (let i = at - 2; before?.kind === 'space'; i--) before = tokens[i]
  return before?.kind === 'word' && /^(limit|offset)$/i.test(before.text)
}

/** Parameters that a statement can have: the protocol counts their values in 16 bits. */
const MOST = 65_535

/**
 * The numbers of the parameters of a statement.
 *
 * @throws PgError for one that no client can give a value.
 */
export function parameterNumbers(sql: string): ReadonlySet<number> {
  if (!sql.includes('$')) return new Set()
  const found = tokensOf(sql).filter(({ kind }) => kind === 'parameter')
  const numbers = new Set(found.map(({ text }) => Number(text.slice(1))))
  for (const number of numbers)
    if (number > MOST)
      throw new PgError(
        '54023',
        `There is no parameter $${number}: a statement has at most ${MOST}`,
      )
  return numbers
}

/** The greatest of them; 0 where it has none. */
export function parameterCount(sql: string): number {
  return [...parameterNumbers(sql)].reduce((most, number) => Math.max(most, number), 0)
}
