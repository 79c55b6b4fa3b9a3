import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError, messageOf, type SourceLocation } from '../../errors.js'
import { shownUrl } from '../../secrets.js'
import { within } from '../../storage/place/within.js'
import type { Storage } from '../../storage/storage.js'
import {
  primaryKey,
  type Rows,
  type TableName,
  type TargetDialect,
  type TargetSession,
} from '../dialect.js'

/** What the file is called in statements. */
const FILE = 'moraine_warehouse'

const named = ({ schema, name }: TableName) =>
  `${FILE}.${quoteName(schema ?? 'main')}.${quoteName(name)}`

/** Opens a file of DuckDB in the engine of the export, which writes to it by itself. */
export async function connectDuckDB(
  engine: Session,
  path: string,
  place: SourceLocation | undefined,
  lake: Storage,
): Promise<{ dialect: TargetDialect; session: TargetSession }> {
  const file = resolve(place ? dirname(place.file) : '.', path)
  if (within(lake, file).is !== 'outside')
    throw new MoraineError('export', `The file ${file} lies in the lake at ${shownUrl(lake.url)}`, {
      hint: 'Nothing was written. Choose a file outside of the lake: vacuum removes what is not its own.',
    })
  try {
    await mkdir(dirname(file), { recursive: true })
    await engine.run(`ATTACH ${quoteText(file)} AS ${FILE}`)
  } catch (cause) {
    const isLocked = /could not set lock|used by another process/i.test(messageOf(cause))
    throw new MoraineError('export', `${file} can't be opened: ${messageOf(cause)}`, {
      cause,
      retryable: isLocked,
      hint: isLocked
        ? 'Another process has it open. Export again once that is done: moraine export'
        : 'Check the path and its permissions, and that it is a file of DuckDB.',
    })
  }
  return { dialect: dialectOn(engine), session: new DuckDBTarget(engine, `the file ${file}`) }
}

class DuckDBTarget implements TargetSession {
  readonly secrets = []
  constructor(
    private readonly engine: Session,
    readonly place: string,
  ) {}

  async ask(sql: string): Promise<Rows> {
    const rows = await this.engine.rows(sql)
    return rows.map((row) =>
      Object.values(row).map((value) => (value === null ? null : String(value))),
    )
  }

  async change(sql: string): Promise<bigint> {
    const [[count] = []] = await this.ask(sql)
    return BigInt(count ?? 0)
  }

  fillFrom(table: string, columns: readonly Field[], sql: string): Promise<bigint> {
    const names = columns.map(({ name }) => quoteName(name)).join(', ')
    return this.change(`INSERT INTO ${table} (${names}) SELECT ${names} FROM (${sql})`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.run(`DETACH ${FILE}`)
  }
}

function dialectOn({ dialect: { values }, exports }: Session): TargetDialect {
  return {
    name: 'DuckDB',
    cells: { nulls: '', booleans: ['false', 'true'], bytes: '' },
    transactionalDdl: true,
    quote: quoteName,
    named,
    text: quoteText,
    typeOf: (type) => values.type(type),
    // It can't rename a table that has a key, and needs none to find rows.
    isKeyType: () => false,
    // The file is locked while it is open.
    lock: async () => {},
    unlock: async () => {},
    createSchema: async (session, schema) => {
      await session.ask(`CREATE SCHEMA IF NOT EXISTS ${FILE}.${quoteName(schema)}`)
    },
    async find(session, { schema = 'main', name }) {
      const where = `database_name = '${FILE}' AND schema_name = ${quoteText(schema)}`
      const [row] = await session.ask(
        `SELECT comment FROM duckdb_tables() WHERE ${where} AND table_name = ${quoteText(name)}
        UNION ALL SELECT comment FROM duckdb_views() WHERE ${where} AND view_name = ${quoteText(name)}`,
      )
      // Views name what they read: another table of that name is as good.
      return row && { comment: row[0] ?? null, isReadByViews: false }
    },
    create: (table, columns, comment) => [
      `CREATE TABLE ${named(table)} (${columns.join(', ')})`,
      `COMMENT ON TABLE ${named(table)} IS ${quoteText(comment)}`,
    ],
    createTemporary: (name, columns) =>
      `CREATE OR REPLACE TEMP TABLE ${quoteName(name)} (${columns.join(', ')})`,
    temporary: (name) => `temp.${quoteName(name)}`,
    addKey: primaryKey(quoteName),
    rename: (table, to) => `ALTER TABLE ${named(table)} RENAME TO ${quoteName(to)}`,
    deleteMatching: (table, keys, columns) =>
      `DELETE FROM ${table} AS t USING ${keys} AS k WHERE ${columns.map(({ name }) => `t.${quoteName(name)} = k.${quoteName(name)}`).join(' AND ')}`,
    deleteNull: (table, keys, column) =>
      `DELETE FROM ${table} WHERE ${quoteName(column)} IS NULL AND EXISTS (SELECT 1 FROM ${keys} WHERE ${quoteName(column)} IS NULL)`,
    figures: (table, columns) => exports.figuresSql(`SELECT * FROM ${table}`, columns),
    grant: (table, to) => `GRANT SELECT ON ${table} TO ${quoteName(to)}`,
    recordTypes: {
      text: 'text',
      name: 'text',
      whole: 'bigint',
      now: 'timestamp DEFAULT current_timestamp',
    },
  }
}
