import { literal } from '../conditions.js'
import type { SourceDialect } from '../dialect.js'
import { CLOCK, prepare } from './session.js'
import {
  cursorText,
  cursorValue,
  grainOfType,
  isCounter,
  keyValue,
  kindOf,
  quote,
  textSql,
  versionsSql,
} from './types.js'

const moments = ['datetimeoffset', 'datetime', 'datetime2', 'smalldatetime', 'date']

export const sqlserver: SourceDialect = {
  name: 'SQL Server',
  quote,
  counts: (type) => isCounter({ type }),
  timesOf: (type) => {
    const kind = kindOf(type)
    if (!moments.includes(kind)) return undefined
    const clock = kind === 'datetimeoffset' ? 'utc' : 'server'
    return { clock, grain: grainOfType(kind, type), day: kind === 'date' }
  },
  utc: '',
  cursors: 'a rowversion, a datetime, a date or a whole number',
  cursorSql: (text, cursor) => cursorValue(cursor, text),
  cursorText: (value, cursor) => cursorText(cursor, value),
  versionsSql,
  keySql: keyValue,
  listSql: (columns) =>
    columns.map((column) => `${textSql(column)} AS ${quote(column.name)}`).join(', '),
  clock: CLOCK,
  split: {
    keyOf: async (ask, table) => {
      const [[name] = []] = await ask(
        `SELECT c.name FROM sys.indexes i
           JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal = 1
           JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
         WHERE i.is_primary_key = 1 AND i.object_id = OBJECT_ID(N${literal(table)})`,
      )
      return name
    },
    bytesOf: async (ask, table) => {
      const [[pages] = []] = await ask(
        `SELECT SUM(a.used_pages) FROM sys.partitions p JOIN sys.allocation_units a ON a.container_id = p.partition_id
         WHERE p.object_id = OBJECT_ID(N${literal(table)}) AND p.index_id < 2`,
      )
      return Number(pages ?? 0) * 8192
    },
  },
  hints: {
    207: 'The source no longer has such a column.',
    208: 'Check the name, with its schema: dbo.orders',
    229: 'Grant SELECT on it to the user.',
    3961: 'The table was changed while it was being read. Run again: what was already ingested is kept.',
    4060: 'Check the name at the end of its URL.',
  },
  unwrap: innermost,
  blind:
    'open transactions of other users are not visible, so rows that they commit late may be missed unless lag covers them (GRANT VIEW SERVER STATE)',
  prepare,
}

/** The error that the others are about, where it has a code. */
function innermost(error: unknown): unknown {
  const { originalError, cause, errors } = error as {
    originalError?: unknown
    cause?: unknown
    errors?: unknown[]
  }
  const inner = originalError ?? cause ?? errors?.[0]
  if (!(inner instanceof Error)) return error
  const found = innermost(inner)
  return (found as { code?: string }).code ? found : error
}
