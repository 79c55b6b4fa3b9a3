import type { Cursor } from './cursor.js'
import type { Relation } from './tree.js'

/** What stands in FROM, with all of its joins. */
export function parseRelation(cursor: Cursor): Relation {
  return cursor.deeper(() => {
    let left = primary(cursor)
    for (;;) {
      const { at } = cursor.token
      if (cursor.take('CROSS', 'JOIN')) {
        left = { kind: 'join', at, type: 'CROSS', left, right: primary(cursor) }
        continue
      }
      if (cursor.at('NATURAL'))
        throw cursor.refuse('NATURAL JOIN is not translated', 'Name the columns: USING (…)')
      const type = joinType(cursor)
      if (type === undefined) return left
      const right = primary(cursor)
      if (cursor.take('ON')) left = { kind: 'join', at, type, left, right, on: cursor.expression() }
      else {
        cursor.expect('USING')
        left = { kind: 'join', at, type, left, right, using: parseColumns(cursor) ?? [] }
      }
    }
  })
}

function joinType(cursor: Cursor): string | undefined {
  if (cursor.take('JOIN') || cursor.take('INNER', 'JOIN')) return 'INNER'
  for (const side of ['LEFT', 'RIGHT', 'FULL'])
    if (cursor.take(side, 'JOIN') || cursor.take(side, 'OUTER', 'JOIN')) return side
  return undefined
}

function primary(cursor: Cursor): Relation {
  const found = unaliased(cursor)
  if (found.kind === 'table' && cursor.take('TABLESAMPLE')) {
    const method = cursor.next().text
    if (method !== 'BERNOULLI' && method !== 'SYSTEM')
      throw cursor.refuse('TABLESAMPLE has the methods BERNOULLI and SYSTEM')
    found.sample = { method, percent: cursor.inBrackets(() => cursor.expression()) }
  }
  if (found.kind === 'table' && cursor.at('FOR'))
    throw cursor.refuse('FOR VERSION AS OF and FOR TIMESTAMP AS OF are not translated')
  const isAliased = cursor.take('AS') || (cursor.isName() && !isClause(cursor))
  if (!isAliased) return found
  const name = cursor.name()
  const columns = parseColumns(cursor)
  return { ...found, alias: { name, ...(columns ? { columns } : {}) } }
}

/** Words that may be names, but begin what follows a table or a value. */
export function isClause(cursor: Cursor): boolean {
  return (
    cursor.at('OFFSET') ||
    cursor.at('LIMIT') ||
    cursor.at('FETCH') ||
    (cursor.at('WINDOW') && cursor.ahead(2).text === 'AS')
  )
}

function unaliased(cursor: Cursor): Relation {
  const { at } = cursor.token
  if (cursor.take('LATERAL')) {
    const query = cursor.inBrackets(() => cursor.query())
    return { kind: 'query', at, query, lateral: true }
  }
  if (cursor.take('UNNEST')) {
    const items = cursor.inBrackets(() => cursor.list(() => cursor.expression()))
    return { kind: 'unnest', at, items, ordinality: cursor.take('WITH', 'ORDINALITY') }
  }
  if (cursor.at('TABLE') && cursor.isSymbol('(', 1)) return tableFunction(cursor)
  if (cursor.isSymbol('(')) {
    let by = 0
    while (cursor.isSymbol('(', by)) by++
    const { kind, text } = cursor.ahead(by)
    const isQuery = kind === 'word' && ['SELECT', 'WITH', 'VALUES', 'TABLE'].includes(text)
    return cursor.inBrackets(
      (): Relation =>
        isQuery
          ? { kind: 'query', at, query: cursor.query(), lateral: false }
          : { kind: 'inside', at, of: parseRelation(cursor) },
    )
  }
  const parts = [cursor.name('a table')]
  while (cursor.takeSymbol('.')) parts.push(cursor.name())
  if (cursor.isSymbol('('))
    throw cursor.refuse(`The table function ${parts.join('.')} is not translated`, undefined, at)
  return { kind: 'table', at, parts }
}

/** `TABLE(sequence(start => 1, stop => 9))`. */
function tableFunction(cursor: Cursor): Relation {
  const { at } = cursor.next()
  return cursor.inBrackets((): Relation => {
    const name = cursor.path().join('.').toLowerCase()
    const arg = () => {
      const isNamed = cursor.isSymbol('=>', 1)
      const own = isNamed ? { name: cursor.name().toLowerCase() } : {}
      cursor.takeSymbol('=>')
      return { ...own, value: cursor.expression() }
    }
    const args = cursor.inBrackets(() => (cursor.isSymbol(')') ? [] : cursor.list(arg)))
    return { kind: 'function', at, name, args }
  })
}

/** Names of columns in brackets, after the name of what has them. */
export function parseColumns(cursor: Cursor): string[] | undefined {
  if (!cursor.isSymbol('(')) return undefined
  return cursor.inBrackets(() => cursor.list(() => cursor.name()))
}
