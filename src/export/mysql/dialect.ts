import type { ColumnType, Field } from '../../define/types/column-type.js'
import { MoraineError } from '../../errors.js'
import { primaryKey, type TableName, type TargetDialect } from '../dialect.js'
import { quote, text, typeOf } from './types.js'

/** Tables lie in the database of the connection. */
const named = ({ name }: TableName) => quote(name)

/** One export at a time in a database: what is recorded of all tables is swapped with each. */
const LOCK = "concat('moraine exports ', sha1(database()))"

/** Seconds that another export is waited for. */
const PATIENCE = 86_400

const keyed: readonly ColumnType['kind'][] = ['string', 'json', 'binary', 'list', 'struct', 'map']

export const mysql: TargetDialect = {
  name: 'MySQL',
  cells: { nulls: 'NULL', booleans: ['0', '1'], bytes: '' },
  transactionalDdl: false,
  limits: { years: [1, 9999], floats: 'finite' },
  longestName: { length: 64, of: 'characters' },
  quote,
  named,
  text,
  typeOf,
  isKeyType: ({ kind }) => !keyed.includes(kind),

  async lock(session, _table, waits) {
    const [[got] = []] = await session.ask(`SELECT GET_LOCK(${LOCK}, 0)`)
    if (got === '1') return
    waits()
    const [[late] = []] = await session.ask(`SELECT GET_LOCK(${LOCK}, ${PATIENCE})`)
    if (late === '1') return
    throw new MoraineError(
      'export',
      'Another export works on this database, and could not be waited for',
      {
        hint: 'Nothing was changed. Look which connections it has, and export again once it is done: moraine export',
        retryable: true,
      },
    )
  },
  async unlock(session) {
    await session.ask(`SELECT RELEASE_LOCK(${LOCK})`)
  },
  createSchema: async () => {},
  async find(session, { name }) {
    const [row] = await session.ask(
      `SELECT table_comment FROM information_schema.tables WHERE table_schema = database() AND table_name = ${text(name)}`,
    )
    // Views name what they read: another table of that name is as good.
    return row && { comment: row[0] ?? null, isReadByViews: false }
  },
  create: (table, columns, comment) => [
    `CREATE TABLE ${named(table)} (${columns.join(', ')}) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = ${text(comment)}`,
  ],
  createTemporary: (name, columns) =>
    `CREATE TEMPORARY TABLE ${quote(name)} (${columns.join(', ')}) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  temporary: quote,
  addKey: primaryKey(quote),
  rename: (table, to) => `RENAME TABLE ${named(table)} TO ${quote(to)}`,
  swap: (moves) =>
    `RENAME TABLE ${moves.map(([from, to]) => `${quote(from)} TO ${quote(to)}`).join(', ')}`,
  deleteMatching: (table, keys, columns) =>
    `DELETE t FROM ${table} AS t JOIN ${keys} AS k ON ${columns.map(({ name }) => areSame(name)).join(' AND ')}`,
  deleteNull: (table, keys, column) =>
    `DELETE FROM ${table} WHERE ${quote(column)} IS NULL AND EXISTS (SELECT 1 FROM ${keys} AS k WHERE k.${quote(column)} IS NULL)`,
  figures: (table, columns) =>
    `SELECT ${['count(*)', ...columns.flatMap(figureOf)].join(', ')} FROM ${table}`,
  grant: (table, to) => `GRANT SELECT ON ${table} TO ${quote(to)}`,
  recordTypes: {
    text: 'longtext',
    name: 'varchar(64)',
    whole: 'bigint',
    now: 'datetime(6) NOT NULL DEFAULT current_timestamp(6)',
  },
}

/** To MySQL, texts are equal that differ by blanks at their end: their bytes are not. */
function areSame(column: string): string {
  const [ours, theirs] = [`t.${quote(column)}`, `k.${quote(column)}`]
  return `${ours} = ${theirs} AND CAST(${ours} AS BINARY) = CAST(${theirs} AS BINARY)`
}

function figureOf({ name, type }: Field): string[] {
  const weight = weightOf(quote(name), type)
  return [`count(${quote(name)})`, weight ? `sum(${weight})` : 'NULL']
}

function weightOf(column: string, type: ColumnType): string | undefined {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'bigint':
    case 'decimal':
      return column
    case 'date':
      return `DATEDIFF(${column}, '1970-01-01')`
    case 'timestamp':
    case 'timestamptz':
      return `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${column})`
    case 'string':
    case 'binary':
      return `LENGTH(${column})`
    default:
      return undefined
  }
}
