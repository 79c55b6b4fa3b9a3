import type { DatabaseSource, OpenConnection } from '../../define/source.js'
import type { MoraineError, SourceLocation } from '../../errors.js'
import { abortController, orAborted } from '../../signals.js'
import { amongKeys, censusOf, censusSql, relationOf, whereOf, windowOf } from './conditions.js'
import { type SourceDialect, type SourceSession, tableOf } from './dialect.js'
import { checkedConnection, databaseError } from './failures.js'
import { horizonOf } from './horizon.js'
import { rangesByKey, type Spread, spreadOf, wholeTable } from './key-ranges.js'
import { type Moment, takeSnapshot } from './moment.js'
import type {
  Census,
  Extract,
  Extracted,
  Horizon,
  Mark,
  Range,
  Reader,
  Remote,
  RemoteColumn,
  Window,
} from './reader.js'

/** What a database is opened for. */
interface Wanted {
  /** What will be read: counters are looked at before the snapshot is taken. */
  sources: readonly DatabaseSource[]
  place?: SourceLocation | undefined
  /** Ends the wait for a database that does not answer, or for a table that is locked. */
  signal?: AbortSignal | undefined
}

export async function openReader(
  dialect: SourceDialect,
  connection: OpenConnection,
  { sources, place, signal = abortController().signal }: Wanted,
): Promise<Reader> {
  const session = await dialect.prepare(checkedConnection(dialect.name, connection, place))
  const begin = async () => {
    await session.connect()
    return takeSnapshot(dialect, session, sources)
  }
  try {
    return new DatabaseReader(dialect, session, await orAborted(signal, begin))
  } catch (error) {
    await session.close()
    throw failed(dialect, session, error)
  }
}

/** An error of a client in our words, with advice of its database's dialect. */
function failed(
  { hints, unwrap = (given) => given }: SourceDialect,
  { place, secrets }: SourceSession,
  error: unknown,
  table?: string,
): MoraineError {
  const { code = '', number = code } = error as { code?: string; number?: number | string }
  const where = table === undefined ? place : `${place}, ${table}`
  return databaseError(where, unwrap(error), secrets, hints[number])
}

/** A database as a run reads it: what all have in common, on what its dialect says. */
class DatabaseReader implements Reader {
  /** The columns of what was asked for already, as the session describes them. */
  private readonly described = new Map<string, Promise<RemoteColumn[]>>()
  readonly moving: boolean
  readonly remote: Remote | undefined

  constructor(
    private readonly dialect: SourceDialect,
    private readonly session: SourceSession,
    private readonly moment: Moment,
  ) {
    this.moving = moment.moving
    this.remote = session.remote?.bind(session)
  }

  async columns(source: DatabaseSource): Promise<RemoteColumn[]> {
    const columns = await this.describe(source)
    return columns.map(({ name, type, id }) => ({
      name,
      type,
      ...(id === undefined ? {} : { id }),
    }))
  }

  horizon(source: DatabaseSource, cursor: RemoteColumn, marks: readonly Mark[]): Promise<Horizon> {
    const what = { source, cursor, marks }
    return this.asked(source, () => horizonOf(this.dialect, this.session, this.moment, what))
  }

  windowSql(cursor: RemoteColumn, window: Window): string {
    const { quote, cursorSql, system } = this.dialect
    if (cursor.name === system?.name) return system.windowSql(window)
    return windowOf(quote(cursor.name), window, (text) => cursorSql(text, cursor))
  }

  nullSql({ name }: RemoteColumn): string {
    return name === this.dialect.system?.name ? 'false' : `${this.dialect.quote(name)} IS NULL`
  }

  keysSql(columns: readonly RemoteColumn[], keys: readonly (readonly string[])[]): string {
    return amongKeys(columns, keys, this.dialect.quote, this.dialect.keySql)
  }

  async census(
    source: DatabaseSource,
    cursor: RemoteColumn,
    from: string | null,
    horizon: Horizon,
  ): Promise<Census> {
    const { quote, cursorText } = this.dialect
    const toText = (value: string) => cursorText(value, cursor)
    const versions = this.dialect.versionsSql?.(cursor)
    const counted = { source, cursor, from, horizon, versions }
    const sql = censusSql(this, counted, quote(cursor.name), toText)
    return censusOf((await this.ask(source, sql))[0] ?? [])
  }

  async ranges(
    source: DatabaseSource,
    bytes: number,
    epoch?: string,
  ): Promise<{ ranges: Range[]; epoch: string }> {
    const table = tableOf(source)
    const { split, quote } = this.dialect
    if (table === undefined) return wholeTable
    const ask = (sql: string, values?: readonly unknown[]) => this.ask(source, sql, values)
    if ('rangesOf' in split) return split.rangesOf(ask, table, bytes, epoch)
    return rangesByKey(epoch, quote, () => this.spread(source, table, bytes))
  }

  movedSql(epoch: string): string | undefined {
    const { split } = this.dialect
    return 'movedSql' in split ? split.movedSql(epoch) : undefined
  }

  async extract(
    { source, columns, conditions }: Extract,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const all = await this.describe(source)
    const chosen = columns.map((name) => all.find((c) => c.name === name) ?? { name, type: '' })
    const query = `SELECT ${this.dialect.listSql(chosen)} FROM ${relationOf(source)}${whereOf(source, conditions)}`
    try {
      return await this.session.extract(query, chosen, path, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw failed(this.dialect, this.session, error, tableOf(source))
    }
  }

  close(): Promise<void> {
    return this.session.close()
  }

  private describe(source: DatabaseSource): Promise<RemoteColumn[]> {
    const relation = relationOf(source)
    const query = `SELECT * FROM ${relation}`
    const found =
      this.described.get(relation) ??
      this.asked(source, () => this.session.describe(query, tableOf(source)))
    this.described.set(relation, found)
    found.catch(() => this.described.delete(relation))
    return found
  }

  /** How the key of a table is spread, where it is a whole number. */
  private async spread(
    source: DatabaseSource,
    table: string,
    bytes: number,
  ): Promise<Spread | undefined> {
    const { split, counts, quote, cursorText } = this.dialect
    if ('rangesOf' in split) return undefined
    const ask = (sql: string, values?: readonly unknown[]) => this.ask(source, sql, values)
    const name = await split.keyOf(ask, table)
    const column = (await this.describe(source)).find((c) => c.name === name)
    if (!column || !counts(column.type)) return undefined
    const ends = ['MIN', 'MAX'].map((of) => cursorText(`${of}(${quote(column.name)})`, column))
    const [found = []] = await ask(`SELECT ${ends.join(', ')} FROM ${table}`)
    return spreadOf(column.name, found, await split.bytesOf(ask, table), bytes)
  }

  private ask(source: DatabaseSource, sql: string, values: readonly unknown[] = []) {
    return this.asked(source, () => this.session.ask(sql, values))
  }

  private async asked<T>(source: DatabaseSource, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw failed(this.dialect, this.session, error, tableOf(source))
    }
  }
}
