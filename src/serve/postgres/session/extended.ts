import { PgError } from '../pg-error.js'
import type { Command } from '../sql/command.js'
import type { CursorCommand } from '../sql/cursor-command.js'
import { parameterCount } from '../sql/parameters.js'
import { statementsOf } from '../sql/tokens.js'
import { oidOf, pgColumnType } from '../types/column-type.js'
import { type Parameter, parameterOf } from '../types/parameter.js'
import { pgTypes } from '../types/pg-type.js'
import { type ResultColumn, RowFormat } from '../types/row-format.js'
import type { Message } from '../wire/read-message.js'
import { write } from '../wire/write-message.js'
import { carryOut, copyOut, type SessionState, shownColumns, shownRows } from './execute-command.js'
import type { Running } from './running.js'

type Of<T extends Message['type']> = Extract<Message, { type: T }>

/** Prepared statements and portals of a session, and bytes of the texts or values of either. */
const MOST = 1000
const MOST_BYTES = 16 * 2 ** 20
/** Portals whose rows are read in parts at the same time: each has a process. */
const MOST_RUNNING = 4

interface Prepared {
  sql: string
  command: Command
  /** Types of parameters that the client said; 0 where it did not. */
  types: number[]
  described: { columns: ResultColumn[]; types: number[] } | undefined
  /**
   * Columns by which its client reads rows: those it was last told of, or whose rows it was sent.
   */
  known?: { columns: readonly ResultColumn[]; ofRows: boolean }
}

interface Portal {
  prepared: Prepared
  /** Bytes of its parameters. */
  bytes: number
  parameters: Parameter[]
  /** The parameters, where the client leaves their types to the statement. */
  valuesAs: (types: readonly number[]) => Parameter[]
  formats: number[]
  /** Once its columns are known. */
  format?: RowFormat
  running?: Running
  /** Those of a cursor whose query has ended. */
  columns?: readonly ResultColumn[]
  isDone: boolean
  /** Its query was ended before all of its rows were read. */
  isLate?: boolean
}

/** The extended protocol: statements that are prepared, bound, and read in parts. */
export class Extended {
  private readonly statements = new Map<string, Prepared>()
  private readonly portals = new Map<string, Portal>()
  /** Bytes of these that are counted among those of all sessions. */
  private counted = 0

  constructor(private readonly state: SessionState) {}

  /** @throws PgError */
  parse({ name, sql, types }: Of<'parse'>): void {
    const texts = statementsOf(sql)
    if (texts.length > 1)
      throw new PgError('42601', 'A prepared statement can only be one statement')
    if (name !== '' && this.statements.has(name))
      throw new PgError('42P05', `There is already a prepared statement "${name}"`)
    const [text = ''] = texts
    this.statements.delete(name)
    const bytes = this.bytesOf('statements') + text.length
    if (this.statements.size >= MOST || bytes > MOST_BYTES) throw tooMany('prepared statements')
    this.count(bytes + this.bytesOf('portals'))
    const command = this.state.questions.command(text)
    const count = Math.max(types.length, parameterCount(text))
    const all = Array.from({ length: count }, (_, i) => types[i] ?? 0)
    this.statements.set(name, { sql: text, command, types: all, described: undefined })
    this.state.connection.write(write.parseComplete())
  }

  async bind({ portal, statement, formats, values, results }: Of<'bind'>): Promise<void> {
    const prepared = this.statement(statement)
    const { types, described } = prepared
    if (values.length !== types.length)
      throw new PgError('08P01', `There are ${values.length} values for ${types.length} parameters`)
    if (portal !== '' && this.portals.has(portal))
      throw new PgError('42P03', `There is already a portal "${portal}"`)
    await this.closePortal(portal)
    const bytes = sumOf(values, (value) => value?.length ?? 0)
    const held = this.bytesOf('portals') + bytes
    if (this.portals.size >= MOST || held > MOST_BYTES) throw tooMany('portals')
    this.count(held + this.bytesOf('statements'))
    const valuesAs = (engine: readonly number[] = []) =>
      values.map((value, i) => {
        const format = (formats.length > 1 ? formats[i] : formats[0]) ?? 0
        return parameterOf(types[i] || engine[i] || 0, format, value)
      })
    const parameters = valuesAs(described?.types)
    const own = { prepared, bytes, parameters, valuesAs }
    this.portals.set(portal, { ...own, formats: results, isDone: false })
    this.state.connection.write(write.bindComplete())
  }

  async describe({ of, name }: Of<'describe'>): Promise<void> {
    const { connection } = this.state
    if (of === 'portal') {
      const format = await this.formatOf(this.portal(name))
      connection.write(format ? write.rowDescription(format.describe()) : write.noData())
      return
    }
    const { columns, types } = await this.described(this.statement(name))
    connection.write(write.parameterDescription(types))
    connection.write(
      columns.length > 0 ? write.rowDescription(new RowFormat(columns).describe()) : write.noData(),
    )
  }

  /** How the rows of a portal are written; of FETCH, those of its cursor. */
  private async formatOf(portal: Portal): Promise<RowFormat | undefined> {
    const { command } = portal.prepared
    if (command.kind !== 'fetch') return (await this.begin(portal, true)).format
    const cursor = await this.begin(this.portal(command.name))
    return new RowFormat(cursor.running?.columns ?? cursor.columns ?? [], portal.formats)
  }

  async execute({ portal: name, rows }: Of<'execute'>): Promise<void> {
    const { connection, settings, transaction } = this.state
    const portal = this.portal(name)
    const { command } = portal.prepared
    transaction.check(command)
    switch (command.kind) {
      case 'empty':
        return connection.write(write.emptyQuery())
      case 'copy':
        return copyOut(command, this.state)
      case 'select':
        return this.rows(portal, rows)
      case 'declare':
        return this.declare(command, portal)
      case 'fetch':
      case 'close':
        return this.cursor(command, portal.formats.length > 0 ? portal.formats : [0])
      case 'show': {
        const { format } = await this.begin(portal)
        for (const row of shownRows(command.name, settings))
          connection.write(write.dataRow(format?.row(row) ?? row))
        return connection.write(write.commandComplete('SHOW'))
      }
      default:
        carryOut(command, this.state)
    }
  }

  async close({ of, name }: Of<'close'>): Promise<void> {
    if (of === 'portal') await this.closePortal(name)
    else this.statements.delete(name)
    this.state.connection.write(write.closeComplete())
  }

  /**
   * Carries out what is asked of a cursor, which is a portal that has a statement of its own.
   *
   * @param formats of its rows, where whoever asks says them: the columns are then known.
   */
  async cursor(command: CursorCommand, formats?: readonly number[]): Promise<void> {
    const { connection } = this.state
    if (command.kind === 'declare') return this.declare(command)
    if (command.kind === 'close') {
      const { name } = command
      if (name === undefined) await this.closePortals()
      else {
        this.portal(name)
        await this.closePortal(name)
      }
      const tag = name === undefined ? 'CLOSE CURSOR ALL' : 'CLOSE CURSOR'
      return connection.write(write.commandComplete(tag))
    }
    const portal = this.portal(command.name)
    await this.begin(portal)
    refuseLate(portal)
    const { running } = portal
    const columns = running?.columns ?? portal.columns ?? []
    const format = formats?.length ? new RowFormat(columns, formats) : portal.format
    if (!format) throw new PgError('XX000', 'The cursor has no query')
    if (!formats) connection.write(write.rowDescription(format.describe()))
    const before = running?.sent ?? 0
    const hasMore = await running?.send(connection, format, command.rows)
    connection.write(write.commandComplete(`FETCH ${(running?.sent ?? 0) - before}`))
    if (hasMore || !running) return
    portal.columns = columns
    portal.isDone = true
    delete portal.running
    await running.close()
  }

  private declare(
    { name, sql, binary }: Extract<CursorCommand, { kind: 'declare' }>,
    by?: Portal,
  ): void {
    const { connection, transaction } = this.state
    if (transaction.status === 'I')
      throw new PgError('25P01', 'A cursor needs a transaction', { hint: 'Send BEGIN first.' })
    if (this.portals.has(name)) throw new PgError('42P03', `There is already a cursor "${name}"`)
    if (this.portals.size >= MOST) throw tooMany('portals')
    const command = this.state.questions.command(sql)
    if (command.kind !== 'select') throw new PgError('42601', 'A cursor is for a SELECT')
    const types = by?.prepared.types ?? []
    this.portals.set(name, {
      prepared: { sql, command, types, described: undefined },
      bytes: by?.bytes ?? 0,
      parameters: by?.parameters ?? [],
      valuesAs: by?.valuesAs ?? (() => []),
      formats: binary ? [1] : [],
      isDone: false,
    })
    connection.write(write.commandComplete('DECLARE CURSOR'))
  }

  private bytesOf(kind: 'statements' | 'portals'): number {
    return kind === 'statements'
      ? sumOf(this.statements.values(), ({ sql }) => sql.length)
      : sumOf(this.portals.values(), ({ bytes }) => bytes)
  }

  /** What went since is found out when there is more. */
  private count(bytes: number): void {
    const more = bytes - this.counted
    if (more > 0 && !this.state.held.take(more))
      throw new PgError('53400', 'The sessions of the server have too many prepared statements', {
        hint: 'Close those that are done, or try again later.',
      })
    if (more < 0) this.state.held.give(-more)
    this.counted = bytes
  }

  /** Ends with its session. */
  async end(): Promise<void> {
    try {
      await this.closePortals()
    } finally {
      this.count(0)
    }
  }

  /** What a transaction leaves behind when it ends. */
  async closePortals(): Promise<void> {
    for (const name of [...this.portals.keys()]) await this.closePortal(name)
  }

  /** @throws PgError where there is none of this name. */
  deallocate(name: string | undefined): void {
    if (name === undefined) this.statements.clear()
    else {
      this.statement(name)
      this.statements.delete(name)
    }
  }

  /** The simple protocol replaces what has no name. */
  async forgetUnnamed(): Promise<void> {
    this.statements.delete('')
    await this.closePortal('')
  }

  /** Ends portals that wait for a client which does not go on; a query's process is not theirs. */
  async endWaiting(): Promise<void> {
    for (const portal of this.portals.values()) {
      if (!portal.running) continue
      await portal.running.close()
      portal.columns = portal.running.columns
      portal.isLate = true
      delete portal.running
    }
  }

  get isReading(): boolean {
    return [...this.portals.values()].some(({ running }) => running !== undefined)
  }

  private async rows(portal: Portal, most: number): Promise<void> {
    const { connection } = this.state
    if (portal.isDone) return connection.write(write.commandComplete('SELECT 0'))
    refuseLate(portal)
    await this.begin(portal)
    const { running, format } = portal
    if (!running || !format) throw new PgError('XX000', 'The portal has no query')
    const before = running.sent
    const hasMore = await running.send(connection, format, most)
    if (hasMore) return connection.write(write.portalSuspended())
    connection.write(write.commandComplete(`SELECT ${running.sent - before}`))
    portal.isDone = true
    delete portal.running
    await running.close()
  }

  /**
   * Starts the query of a portal, whose answer tells of its columns.
   *
   * @param isTold whether the client is told of these columns now.
   */
  private async begin(portal: Portal, isTold = false): Promise<Portal> {
    const { prepared, formats } = portal
    const { command } = prepared
    if (portal.format) return portal
    this.state.transaction.check(command)
    if (command.kind === 'show') portal.format = new RowFormat(shownColumns(command.name), formats)
    if (command.kind !== 'select') return portal
    const open = [...this.portals.values()].filter(({ running }) => running)
    if (open.length >= MOST_RUNNING) throw tooMany('portals with rows that were not read')
    const running = await this.run(portal)
    try {
      if (!isTold) refuseOthers(prepared.known, running.columns)
      prepared.known = { columns: running.columns, ofRows: true }
      portal.format = new RowFormat(running.columns, formats)
    } catch (error) {
      await running.close()
      throw error
    }
    portal.running = running
    return portal
  }

  /** Where the engine cannot do with texts what it should, it is asked for the types first. */
  private async run({ prepared, parameters, valuesAs }: Portal): Promise<Running> {
    const { questions } = this.state
    const { sql, types } = prepared
    try {
      return await questions.run(sql, parameters)
    } catch (error) {
      const isOpen = types.includes(0) && !prepared.described
      if (!isOpen || /^(57|42P01|42501|25006)/.test((error as PgError).code)) throw error
      const found = await this.described(prepared).catch(() => undefined)
      if (!found) throw error
      return questions.run(sql, valuesAs(found.types))
    }
  }

  private async described(prepared: Prepared) {
    const { command, sql, types } = prepared
    if (prepared.described) return prepared.described
    if (command.kind === 'show')
      prepared.described = { columns: shownColumns(command.name), types: [] }
    else if (command.kind === 'fetch') {
      const { running, columns = [] } = await this.begin(this.portal(command.name))
      prepared.described = { columns: [...(running?.columns ?? columns)], types: [] }
    } else if (command.kind !== 'select')
      prepared.described = { columns: [], types: types.map((type) => type || pgTypes.text.oid) }
    else {
      this.state.transaction.check(command)
      const { columns, parameters } = await this.state.questions.describe(sql, types)
      const found = types.map((type, i) => type || oidOfEngine(parameters[i]))
      prepared.described = { columns, types: found }
      prepared.known ??= { columns, ofRows: false }
    }
    return prepared.described
  }

  private statement(name: string): Prepared {
    const found = this.statements.get(name)
    if (found) return found
    throw new PgError('26000', `There is no prepared statement "${name}"`)
  }

  private portal(name: string): Portal {
    const found = this.portals.get(name)
    if (found) return found
    throw new PgError('34000', `There is no portal "${name}"`)
  }

  private async closePortal(name: string): Promise<void> {
    const portal = this.portals.get(name)
    this.portals.delete(name)
    await portal?.running?.close()
  }
}

/** @throws PgError where rows are left that can't be had any more. */
function refuseLate({ isLate }: Portal): void {
  if (!isLate) return
  throw new PgError(
    '57014',
    'The query was ended: the rest of its rows was not asked for in time',
    {
      hint: 'Ask for more rows at a time, or sooner: a query waits for a minute.',
    },
  )
}

/**
 * What a client knows of a statement is what it reads rows by, as long as it is not told anew.
 *
 * @throws PgError upon which drivers prepare the statement once more.
 */
function refuseOthers(known: Prepared['known'], found: readonly ResultColumn[]): void {
  if (!known) return
  const isSame = (column: ResultColumn, i: number) => {
    const other = known.columns[i]
    if (!other) return false
    // The name of an expression without one has types of parameters in it, which may become known.
    if (![column, other].every(({ name }) => /^\w+$/.test(name))) return true
    // So may types that depend on them.
    const isOfType = !known.ofRows || oidOfColumn(column) === oidOfColumn(other)
    return column.name === other.name && isOfType
  }
  if (known.columns.length === found.length && found.every(isSame)) return
  throw new PgError('0A000', 'cached plan must not change result type', {
    hint: 'A table has other columns since the statement was prepared: prepare it again.',
    routine: 'RevalidateCachedQuery',
  })
}

const oidOfColumn = ({ type }: ResultColumn) => oidOf(pgColumnType(type))

/** The number of the type of a parameter that the engine found; a text where it found none. */
function oidOfEngine(type: string | undefined): number {
  if (type === undefined) return pgTypes.text.oid
  const found = pgColumnType(type)
  return found.asJson ? pgTypes.text.oid : oidOf(found)
}

function sumOf<T>(all: Iterable<T>, sizeOf: (one: T) => number): number {
  let sum = 0
  for (const one of all) sum += sizeOf(one)
  return sum
}

const tooMany = (what: string) =>
  new PgError('53400', `The session has too many ${what}`, { hint: 'Close those that are done.' })
