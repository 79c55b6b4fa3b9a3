import { PgError } from '../pg-error.js'
import { type CursorCommand, cursorCommand } from './cursor-command.js'
import { meaningful, nameIn, type Token, textOf, tokensOf } from './tokens.js'

/** What a statement asks for. */
export type Command =
  | { kind: 'empty' }
  /** Something that reads: the query service proves it. */
  | { kind: 'select'; sql: string }
  | { kind: 'copy'; sql: string; csv: boolean; header: boolean; delimiter: string; null: string }
  | { kind: 'begin' | 'commit' | 'rollback' }
  /** What is answered with its tag, and changes nothing. */
  | { kind: 'nothing'; tag: string }
  /** Of the session, or of its transaction alone. */
  | { kind: 'set'; name: string; value: string | undefined; isLocal?: boolean }
  | { kind: 'show'; name: string }
  | { kind: 'deallocate'; name: string | undefined }
  /** The session is as it began. */
  | { kind: 'discard' }
  | CursorCommand

const WRITES =
  /^(insert|update|delete|merge|create|drop|alter|truncate|grant|revoke|comment|lock|vacuum|analyze|reindex|cluster|refresh|import|reassign|security|call|do)$/

/** Statements with no effect here, by their first words, with the tags of their answers. */
const nothings: readonly (readonly [RegExp, string])[] = [
  [/^savepoint /, 'SAVEPOINT'],
  [/^release /, 'RELEASE'],
  [/^rollback (work |transaction )?to /, 'ROLLBACK'],
  [/^(set constraints|set session characteristics|set transaction) /, 'SET'],
  [/^unlisten /, 'UNLISTEN'],
]

/**
 * What a statement asks for.
 *
 * @throws PgError for what changes data, and for what is not supported.
 */
export function commandOf(sql: string): Command {
  const tokens = meaningful(tokensOf(sql))
  const words = tokens.map((token) => nameIn(token) ?? token.text)
  const [first = ''] = words
  const joined = words.join(' ')
  if (first === '') return { kind: 'empty' }
  const nothing = nothings.find(([begins]) => begins.test(joined))
  if (nothing) return { kind: 'nothing', tag: nothing[1] }
  switch (first) {
    case 'begin':
    case 'start':
      return { kind: 'begin' }
    case 'commit':
    case 'end':
      return { kind: 'commit' }
    case 'rollback':
    case 'abort':
      return { kind: 'rollback' }
    case 'set':
      return setting(tokens)
    case 'reset':
      return { kind: 'set', name: words.slice(1).join(' '), value: undefined }
    case 'show':
      return { kind: 'show', name: words.slice(1).join(' ').replace(' . ', '.') }
    case 'discard':
      return words[1] === 'all'
        ? { kind: 'discard' }
        : { kind: 'nothing', tag: ['DISCARD', ...words.slice(1)].join(' ').toUpperCase() }
    case 'deallocate':
      return deallocated(words)
    case 'copy':
      return copied(sql)
    case 'declare':
    case 'fetch':
    case 'close':
      return cursorCommand(sql)
    default:
      refuse(first)
      return { kind: 'select', sql }
  }
}

function refuse(first: string): void {
  if (WRITES.test(first))
    throw new PgError(
      '25006',
      `${first.toUpperCase()} is refused: the lake can only be read through this connection`,
      { hint: 'A lake changes through its definition and `moraine run`.' },
    )
  if (/^(prepare|execute|move|listen|notify|load)$/.test(first))
    throw new PgError('0A000', `${first.toUpperCase()} is not supported`, {
      hint: 'Prepare statements and read rows in parts with the extended protocol, as drivers do.',
    })
}

function deallocated(words: readonly string[]): Command {
  const name = words[1] === 'prepare' ? words[2] : words[1]
  return { kind: 'deallocate', name: name === 'all' ? undefined : name }
}

/** `SET [SESSION | LOCAL] name { = | TO } value`, `SET TIME ZONE value`. */
function setting(tokens: readonly Token[]): Command {
  const rest = tokens.slice(1)
  const local = nameIn(rest[0]) === 'local' ? { isLocal: true } : {}
  if (/^(session|local)$/.test(nameIn(rest[0]) ?? '')) rest.shift()
  const words = rest.map((token) => nameIn(token) ?? token.text)
  if (words[0] === 'time' && words[1] === 'zone')
    return { kind: 'set', name: 'timezone', value: valueIn(rest.slice(2)), ...local }
  const at = words.findIndex((word) => word === '=' || word === 'to')
  if (at < 1)
    throw new PgError('42601', 'SET needs a name and a value', { hint: 'Write: SET name = value' })
  const value = valueIn(rest.slice(at + 1))
  return { kind: 'set', name: words.slice(0, at).join(''), value, ...local }
}

/** A value, or values with commas between them; `undefined` for the default. */
function valueIn(tokens: readonly Token[]): string | undefined {
  const parts = tokens.map((token) =>
    token.kind === 'string'
      ? token.text.slice(1, -1).replaceAll("''", "'")
      : token.kind === 'quoted'
        ? token.text
        : token.text.toLowerCase(),
  )
  const value = parts.join('').replaceAll(',', ', ')
  return value === 'default' || value === '' ? undefined : value
}

/** `COPY (SELECT …) TO STDOUT`, with the options of text and CSV. */
function copied(sql: string): Command {
  const tokens = tokensOf(sql)
  const end = endOfSource(tokens)
  const source = textOf(tokens.slice(0, end))
    .replace(/^\s*copy\s+/i, '')
    .trim()
  const rest = meaningful(tokens.slice(end))
  const words = rest.map((token) => nameIn(token) ?? token.text)
  if (words[0] !== 'to')
    throw new PgError(
      '25006',
      'COPY FROM is refused: the lake can only be read through this connection',
      {
        hint: 'Declare the file as a source in lake.ts.',
      },
    )
  if (words[1] !== 'stdout')
    throw new PgError('42501', 'COPY can only write to STDOUT', {
      hint: 'In psql: \\copy (SELECT …) TO file',
    })
  const options = words.slice(2)
  if (options.includes('binary') || options.includes("'binary'"))
    throw new PgError('0A000', 'COPY in binary is not supported', {
      hint: 'Use FORMAT csv or text.',
    })
  const csv = options.includes('csv') || options.includes("'csv'")
  const header = /\bheader\b(?! ?(off|false|0))/.test(options.join(' '))
  return {
    kind: 'copy',
    sql: source.startsWith('(') ? source.slice(1, -1) : `SELECT * FROM ${source}`,
    csv,
    header,
    delimiter: textAfter(rest, 'delimiter') ?? (csv ? ',' : '\t'),
    null: textAfter(rest, 'null') ?? (csv ? '' : '\\N'),
  }
}

/** Where TO or FROM stands, outside of parentheses. */
function endOfSource(tokens: readonly Token[]): number {
  let depth = 0
  const at = tokens.findIndex((token) => {
    if (token.text === '(') depth++
    if (token.text === ')') depth--
    return depth === 0 && /^(to|from)$/.test(nameIn(token) ?? '')
  })
  return at < 0 ? tokens.length : at
}

function textAfter(tokens: readonly Token[], word: string): string | undefined {
  const at = tokens.findIndex((token) => nameIn(token) === word)
  const next = tokens.slice(at + 1).find(({ kind }) => kind === 'string')
  return at < 0 || !next
    ? undefined
    : next.text.replace(/^[eE]/, '').slice(1, -1).replace('\\t', '\t')
}
