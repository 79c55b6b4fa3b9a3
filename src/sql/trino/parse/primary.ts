import { parseCall } from './call.js'
import type { Cursor } from './cursor.js'
import { literalOf, typedLiteral } from './literal.js'
import type { Expression } from './tree.js'
import { parseType } from './type.js'

const NOW = ['CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIMESTAMP', 'LOCALTIME', 'LOCALTIMESTAMP']
const UNITS = ['SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR']

/** A value with what is taken of it: `a.b`, `a[1]`. */
export function parsePrimary(cursor: Cursor): Expression {
  let of = base(cursor)
  for (;;) {
    const { at } = cursor.token
    if (cursor.takeSymbol('[')) {
      const index = cursor.expression()
      cursor.expectSymbol(']')
      of = { kind: 'subscript', at, of, index }
    } else if (cursor.takeSymbol('.')) {
      const name = cursor.name('the name of a field')
      of =
        of.kind === 'name' ? { ...of, parts: [...of.parts, name] } : { kind: 'field', at, of, name }
    } else return of
  }
}

function base(cursor: Cursor): Expression {
  const { token } = cursor
  const { at } = token
  if (cursor.isSymbol('(')) return bracketed(cursor)
  if (cursor.takeSymbol('?')) return parameterOf(cursor, at)
  const literal = literalOf(cursor)
  if (literal) return literal
  if (token.kind === 'word') {
    const found = special(cursor)
    if (found) return found
  }
  if (cursor.isSymbol('->', 1)) {
    const names = [cursor.name()]
    return lambda(cursor, at, names)
  }
  if (!cursor.isName() && !(cursor.at('GROUPING') || cursor.at('NORMALIZE')))
    throw cursor.unexpected('an expression')
  if (cursor.isSymbol('(', 1)) return parseCall(cursor)
  return { kind: 'name', at, parts: [cursor.name()] }
}

function lambda(cursor: Cursor, at: number, names: string[]): Expression {
  cursor.expectSymbol('->')
  return { kind: 'lambda', at, names, body: cursor.expression() }
}

/** `(a, b) -> …`, `(SELECT …)`, `(1, 2)` or `(1)`. */
function bracketed(cursor: Cursor): Expression {
  const { at } = cursor.token
  if (isLambda(cursor)) {
    const names = cursor.inBrackets(() =>
      cursor.isSymbol(')') ? [] : cursor.list(() => cursor.name()),
    )
    return lambda(cursor, at, names)
  }
  return cursor.inBrackets((): Expression => {
    if (cursor.atAny(['SELECT', 'WITH', 'VALUES', 'TABLE']))
      return { kind: 'subquery', at, query: cursor.query() }
    const items = cursor.list(() => cursor.expression())
    return items.length === 1 ? (items[0] as Expression) : { kind: 'row', at, items }
  })
}

function isLambda(cursor: Cursor): boolean {
  let by = 1
  while (cursor.isName(by) || cursor.isSymbol(',', by)) by++
  return cursor.isSymbol(')', by) && cursor.isSymbol('->', by + 1)
}

/** What begins with a word that is no name. */
function special(cursor: Cursor): Expression | undefined {
  const { at, text } = cursor.token
  const isText = cursor.ahead().kind === 'string'
  if (NOW.includes(text)) {
    cursor.next()
    return { kind: 'now', at, name: text }
  }
  if (isText) {
    const typed = typedLiteral(cursor)
    if (typed) return typed
  }
  if (text === 'INTERVAL' && (isText || /^[+-]$/.test(cursor.ahead().raw))) return interval(cursor)
  const words: Readonly<Record<string, () => Expression>> = {
    CASE: () => caseOf(cursor),
    CAST: () => cast(cursor, false),
    TRY_CAST: () => cast(cursor, true),
    EXISTS: () => ({ kind: 'exists', at, query: afterWord(cursor, () => cursor.query()) }),
    EXTRACT: () => extract(cursor),
    ROW: () => ({
      kind: 'row',
      at,
      items: afterWord(cursor, () => cursor.list(() => cursor.expression())),
    }),
    SUBSTRING: () => substring(cursor),
    POSITION: () => position(cursor),
    TRIM: () => trim(cursor),
  }
  if (text === 'ARRAY' && cursor.isSymbol('[', 1)) return array(cursor)
  if (!Object.hasOwn(words, text)) return undefined
  return text === 'CASE' || cursor.isSymbol('(', 1) ? words[text]?.() : undefined
}

function afterWord<T>(cursor: Cursor, inside: () => T): T {
  cursor.next()
  return cursor.inBrackets(inside)
}

function array(cursor: Cursor): Expression {
  const { at } = cursor.next()
  cursor.expectSymbol('[')
  const items = cursor.isSymbol(']') ? [] : cursor.list(() => cursor.expression())
  cursor.expectSymbol(']')
  return { kind: 'array', at, items }
}

function interval(cursor: Cursor): Expression {
  const { at } = cursor.next()
  const negative = cursor.takeSymbol('-')
  if (!negative) cursor.takeSymbol('+')
  const amount = cursor.string()
  const { text } = cursor.next()
  if (!UNITS.includes(text)) throw cursor.refuse(`INTERVAL has no unit ${text} here`)
  if (cursor.at('TO')) throw cursor.refuse('Intervals of several units are not translated')
  if (!/^\s*-?\d{1,9}\s*$/.test(amount))
    throw cursor.refuse(
      `INTERVAL '${amount}' is not a whole number of ${text.toLowerCase()}s`,
      undefined,
      at,
    )
  return { kind: 'interval', at, amount: amount.trim(), unit: text, negative }
}

function caseOf(cursor: Cursor): Expression {
  const { at } = cursor.next()
  return cursor.deeper(() => {
    const operand = cursor.at('WHEN') ? undefined : cursor.expression()
    const whens: [Expression, Expression][] = []
    while (cursor.take('WHEN')) {
      const condition = cursor.expression()
      cursor.expect('THEN')
      whens.push([condition, cursor.expression()])
    }
    if (whens.length === 0) throw cursor.unexpected('WHEN')
    const otherwise = cursor.take('ELSE') ? cursor.expression() : undefined
    cursor.expect('END')
    return {
      kind: 'case',
      at,
      whens,
      ...(operand ? { operand } : {}),
      ...(otherwise ? { otherwise } : {}),
    }
  })
}

function cast(cursor: Cursor, isTry: boolean): Expression {
  const { at } = cursor.token
  return afterWord(cursor, () => {
    const of = cursor.expression()
    cursor.expect('AS')
    return { kind: 'cast', at, of, to: parseType(cursor), isTry }
  })
}

function extract(cursor: Cursor): Expression {
  const { at } = cursor.token
  return afterWord(cursor, () => {
    const part = cursor.next().text.toLowerCase()
    cursor.expect('FROM')
    return { kind: 'extract', at, part, of: cursor.expression() }
  })
}

function called(at: number, name: string, args: Expression[]): Expression {
  return {
    kind: 'call',
    at,
    name,
    args,
    isStar: false,
    distinct: false,
    orderBy: [],
    ignoreNulls: false,
  }
}

/** `substring(x FROM 1 FOR 2)`, or with commas. */
function substring(cursor: Cursor): Expression {
  const { at } = cursor.token
  return afterWord(cursor, () => {
    const args = [cursor.expression()]
    while (cursor.takeSymbol(',') || cursor.take('FROM') || cursor.take('FOR'))
      args.push(cursor.expression())
    return called(at, 'substring', args)
  })
}

/** `trim(BOTH 'x' FROM y)`, `trim(y)`. */
function trim(cursor: Cursor): Expression {
  const { at } = cursor.token
  return afterWord(cursor, () => {
    const sides = { BOTH: 'trim', LEADING: 'ltrim', TRAILING: 'rtrim' }
    const side = Object.entries(sides).find(([word]) => cursor.take(word))?.[1]
    if (side !== undefined && cursor.take('FROM')) return called(at, side, [cursor.expression()])
    const first = cursor.expression()
    if (cursor.take('FROM')) return called(at, side ?? 'trim', [cursor.expression(), first])
    const more = cursor.takeSymbol(',') ? [cursor.expression()] : []
    return called(at, side ?? 'trim', [first, ...more])
  })
}

/** `position(x IN y)`. */
function position(cursor: Cursor): Expression {
  const { at } = cursor.token
  return afterWord(cursor, () => {
    const found = cursor.operand()
    cursor.expect('IN')
    return called(at, 'strpos', [cursor.operand(), found])
  })
}

/** A parameter: one value, as it would be written in the statement. */
function parameterOf(cursor: Cursor, at: number): Expression {
  const text = cursor.takeParameter()
  const own = cursor.over(text)
  const value = own.expression()
  own.end()
  if (!isConstant(value))
    throw cursor.refuse(
      `The parameter ${text.slice(0, 80)} is not a value`,
      "Write it as in SQL: 1, 'a text', DATE '2026-01-31'.",
      at,
    )
  return placed(value, at)
}

/** All parts of a value are shown where the parameter stands. */
function placed(value: Expression, at: number): Expression {
  if ('of' in value) return { ...value, at, of: placed(value.of as Expression, at) } as Expression
  if ('items' in value)
    return { ...value, at, items: value.items.map((one) => placed(one, at)) } as Expression
  return { ...value, at }
}

function isConstant(value: Expression): boolean {
  if (value.kind === 'literal' || value.kind === 'interval') return true
  if (value.kind === 'array' || value.kind === 'row') return value.items.every(isConstant)
  return (value.kind === 'negative' || value.kind === 'cast') && isConstant(value.of)
}
