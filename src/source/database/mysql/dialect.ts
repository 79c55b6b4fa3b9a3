import { literal } from '../conditions.js'
import type { SourceDialect } from '../dialect.js'
import { grainOf } from '../times.js'
import { CLOCK, prepare } from './session.js'
import { dataLength } from './tables.js'
import { digitsOf, type Field, isCounter, keyValue, kindOf, quote, recordSql } from './types.js'

export const mysql: SourceDialect = {
  name: 'MySQL',
  quote,
  counts: isCounter,
  timesOf: (type) => {
    const kind = kindOf(type)
    if (kind !== 'timestamp' && kind !== 'datetime' && kind !== 'date') return undefined
    return {
      clock: kind === 'timestamp' ? 'utc' : 'server',
      grain: grainOf(digitsOf(type)),
      day: kind === 'date',
    }
  },
  utc: '',
  cursors: 'a timestamp, a datetime, a date or a whole number',
  cursorSql: literal,
  cursorText: (value) => value,
  keySql: keyValue,
  listSql: (columns) => recordSql(columns as readonly Field[]),
  clock: CLOCK,
  split: {
    // The primary key orders a table's rows on disk. Views have none.
    keyOf: async (ask, table) => {
      const keys = await ask(`SHOW KEYS FROM ${table} WHERE Key_name = 'PRIMARY'`).catch(() => [])
      return keys[0]?.[4]
    },
    bytesOf: dataLength,
  },
  hints: {
    ER_NO_SUCH_TABLE: 'Check the name, with its database: shop.orders',
    ER_TABLEACCESS_DENIED_ERROR: 'Grant SELECT on it to the user.',
    ER_BAD_FIELD_ERROR: 'The source no longer has such a column.',
  },
  blind:
    'open transactions of other users are not visible, so rows that they commit late may be missed unless lag covers them (GRANT PROCESS)',
  prepare,
}
