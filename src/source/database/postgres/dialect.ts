import { literal } from '../conditions.js'
import type { Ask, Ranges, SourceDialect } from '../dialect.js'
import { rangesBetween, wholeTable } from '../key-ranges.js'
import type { RemoteColumn } from '../reader.js'
import { grainOf } from '../times.js'
import { quote } from './remote.js'
import { CLOCK, prepare } from './session.js'

/** Servers that read a range of blocks without the others. */
const READS_RANGES = 140_000

export const postgres: SourceDialect = {
  name: 'PostgreSQL',
  quote,
  counts: (type) => /^(smallint|integer|bigint)$/.test(type),
  timesOf: (type) => {
    const grain = grainOf(Number(/\((\d)\)/.exec(type)?.[1] ?? 6))
    if (type === 'date') return { clock: 'server', grain, day: true }
    if (!type.startsWith('timestamp')) return undefined
    return { clock: type.endsWith('with time zone') ? 'utc' : 'server', grain, day: false }
  },
  utc: '+00',
  cursors: 'a timestamp, a date or a whole number, or xmin',
  cursorSql: (text, { type }) => `${literal(text)}::${type}`,
  cursorText: (value) => `${value}::text`,
  keySql: (text, { type }) => `${stringOf(text)}::${type}`,
  listSql: (columns) => columns.map(columnSql).join(', '),
  clock: CLOCK,
  system: {
    name: 'xmin',
    windowSql: ({ from, until }) => {
      const found = [
        ...(from === undefined ? [] : [writtenSince(BigInt(from))]),
        ...(until === undefined ? [] : [`NOT (${writtenSince(BigInt(until))})`]),
      ]
      return found.join(' AND ') || 'true'
    },
  },
  versionsSql: ({ name }) => (name === 'xmin' ? `sum(${writtenBy})::text` : undefined),
  split: {
    rangesOf: rangesByBlock,
    movedSql: (epoch) => writtenSince(BigInt(epochOf(epoch).begun)),
  },
  hints: {
    '42P01': 'Check the name, with its schema: public.orders',
    '3F000': 'Check the name, with its schema: public.orders',
    '42501': 'Grant SELECT on it to the user.',
    '42703': 'The source no longer has such a column.',
  },
  blind:
    'open transactions of other users are not visible, so rows that they commit late may be missed unless lag covers them (GRANT pg_read_all_stats)',
  prepare,
}

const NEXT = 'pg_snapshot_xmax(pg_current_snapshot())::text::numeric'
const HALF = '4294967296'
const WHOLE = `(floor(${NEXT} / ${HALF}) * ${HALF} + xmin::text::numeric)`

/**
 * SQL for the number of the transaction that wrote a row; rows carry the number's lower half alone.
 */
const writtenBy = `CASE WHEN ${WHOLE} < ${NEXT} THEN ${WHOLE} ELSE ${WHOLE} - ${HALF} END`

/** The condition that a row was written by a transaction from a number on. */
const writtenSince = (from: bigint) => `${writtenBy} >= ${from}`

/** A column as it is read: money as a number, as its text depends on the server's language. */
function columnSql({ name, type }: RemoteColumn): string {
  const column = quote(name)
  return /^money(\[\])?$/.test(type) ? `${column}::numeric${type.slice(5)} AS ${column}` : column
}

/** A text in SQL, whatever the server thinks of backslashes. */
const stringOf = (text: string) => `E${literal(text.replaceAll('\\', '\\\\'))}`

const BLOCKS = `
  SELECT relkind, coalesce(pg_relation_filenode(oid)::text, '') AS file,
    pg_relation_size(oid) / current_setting('block_size')::int AS blocks, current_setting('block_size') AS size,
    current_setting('server_version_num') AS version, pg_snapshot_xmin(pg_current_snapshot())::text AS begun
  FROM pg_class WHERE oid = to_regclass($1)`

/** The file whose blocks are read, and the first transaction that may have changed it since. */
function epochOf(epoch: string): { file: string; begun: string } {
  const [file = '', begun = '0'] = epoch.split('@')
  return { file, begun }
}

/** Ranges of a table by the blocks of its file, which stay until it is written anew. */
async function rangesByBlock(ask: Ask, table: string, bytes: number, before = ''): Ranges {
  const [[kind, file, blocks, size, version, begun] = []] = await ask(BLOCKS, [table])
  if ((kind !== 'r' && kind !== 'm') || Number(version) < READS_RANGES) return wholeTable
  const step = Math.max(1, Math.floor(bytes / Number(size)))
  const count = Math.max(1, Math.ceil(Number(blocks) / step))
  const starts = Array.from({ length: count }, (_, i) => i * step)
  const ranges = rangesBetween(starts, (compared, start) => `ctid ${compared} '(${start},0)'`)
  const isGoingOn = before.includes('@') && epochOf(before).file === file
  return { ranges, epoch: isGoingOn ? before : `${file}@${begun}` }
}
