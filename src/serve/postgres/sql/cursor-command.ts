import { PgError } from '../pg-error.js'
import { meaningful, nameIn, textOf, tokensOf } from './tokens.js'

/** What a statement asks of a cursor. */
export type CursorCommand =
  | { kind: 'declare'; name: string; sql: string; binary: boolean }
  /** 0 rows are all that are left. */
  | { kind: 'fetch'; name: string; rows: number }
  /** Without a name, all. */
  | { kind: 'close'; name: string | undefined }

/** @throws PgError for what is not supported, or no statement of a cursor. */
export function cursorCommand(sql: string): CursorCommand {
  const words = meaningful(tokensOf(sql)).map((token) => nameIn(token) ?? token.text)
  const name = words.at(words[0] === 'declare' ? 1 : -1) ?? ''
  if (words[0] === 'close') return { kind: 'close', name: name === 'all' ? undefined : name }
  return words[0] === 'declare' ? declared(sql, name, words) : fetched(name, words)
}

/** `DECLARE name [BINARY] … CURSOR [WITHOUT HOLD] FOR query`. */
function declared(sql: string, name: string, words: readonly string[]): CursorCommand {
  const tokens = tokensOf(sql)
  const at = tokens.findIndex((token) => token.kind === 'word' && nameIn(token) === 'for')
  const options = words.slice(2, words.indexOf('for')).join(' ')
  if (
    at < 0 ||
    !/^(binary |insensitive |asensitive |no scroll )*cursor( without hold)?$/.test(options)
  )
    throw new PgError(
      '0A000',
      'Only cursors that go forward, within a transaction, are supported',
      {
        hint: 'Write: DECLARE name CURSOR FOR SELECT …',
      },
    )
  return {
    kind: 'declare',
    name,
    sql: textOf(tokens.slice(at + 1)),
    binary: options.startsWith('binary'),
  }
}

/** `FETCH [FORWARD] [count | ALL | NEXT] [FROM | IN] name`. */
function fetched(name: string, words: readonly string[]): CursorCommand {
  const how = words.slice(1, -1).filter((word) => !/^(forward|from|in)$/.test(word))
  const [count = '1', ...rest] = how
  if (rest.length > 0 || !/^(\d+|all|next)$/.test(count))
    throw new PgError('0A000', 'A cursor can only go forward', {
      hint: 'Write: FETCH FORWARD 100 FROM name',
    })
  const rows = count === 'all' ? 0 : count === 'next' ? 1 : Number(count)
  if (rows === 0 && count !== 'all')
    throw new PgError('0A000', 'FETCH 0 is not supported', { hint: 'Write: FETCH NEXT FROM name' })
  return { kind: 'fetch', name, rows }
}
